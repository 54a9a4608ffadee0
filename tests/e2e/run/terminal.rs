//! `run` in a terminal, which is tmux's.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{assert_clean, assert_ends, named_sandbox, pid_in};
use crate::agent::{Agent, PATH, eventually, skip};
use crate::web::Server;

/// A terminal of its own, with a server of its own, that ends with the test.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Runs a shell script in a new terminal.
    fn start(agent: &Agent, script: &str) -> Terminal {
        let terminal = Terminal { socket: agent.path("tmux") };
        let mut call = terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", script]);
        let output = call.envs(agent.environment()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        terminal
    }

    fn tmux(&self, words: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(words);
        command.env_clear().env("PATH", PATH).env("TERM", "screen").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }

    fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&["send-keys"]).args(keys).status().unwrap().success());
    }

    /// What stands on the screen.
    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).output().unwrap().stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}

/// The words of a call for a shell, none of which needs more than single quotes.
fn quoted(agent: &Agent, flags: &[&str], script: &str) -> String {
    let call = super::command(agent, flags, &["sh", "-c", script]);
    let words = [call.get_program()].into_iter().chain(call.get_args());
    words.map(|word| format!("'{}' ", word.to_str().unwrap())).collect()
}

fn has_tmux() -> bool {
    Command::new("tmux").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn ctrl_c_ends_the_container_and_all_its_children() {
    if !has_tmux() {
        skip!("tmux is not installed");
    }
    let agent = Agent::new();
    let (sandbox, flag) = named_sandbox(&agent);
    let script = r#"trap "" INT TERM
        sh -c "echo \$\$ > child; while :; do sleep 1; done" &
        (setsid sh -c "echo \$\$ > other; while :; do sleep 1; done" &)
        echo $$ > first; echo on the screen; while :; do sleep 1; done"#;
    let call = quoted(&agent, &[&flag], script);
    let code = agent.path("code");
    let terminal = Terminal::start(&agent, &format!("trap : INT; {call}; echo $? > {}", code.display()));
    let pids = ["first", "child", "other"].map(|name| pid_in(sandbox.join(name)));
    eventually("the output is on the screen", || terminal.screen().contains("on the screen"));
    // More than one: people do not stop at one.
    terminal.press(&["C-c", "C-c", "C-c"]);
    assert_eq!(pid_in(code), 130);
    pids.into_iter().for_each(assert_ends);
    drop(terminal);
    assert_clean(&agent);
}

#[test]
fn how_far_a_download_is_stands_on_the_terminal_and_in_no_file() {
    if !has_tmux() {
        skip!("tmux is not installed");
    }
    let agent = Agent::new();
    let server = Server::of(vec![b'x'; 3 << 20]);
    let uri = format!("--uri={}", server.url("/large"));
    let terminal = Terminal::start(&agent, &format!("{}; exec sleep 1000", quoted(&agent, &[&uri], "echo begun")));
    // Two pipes lead there: the order is not said.
    eventually("the command has begun", || terminal.screen().contains("begun"));
    eventually("all has come", || terminal.screen().contains("large: 3.0 MB 100%, "));
    drop(terminal);
    let quiet = quoted(&agent, &["--quiet", &uri], "echo begun");
    let terminal = Terminal::start(&agent, &format!("{quiet}; exec sleep 1000"));
    eventually("the command has begun", || terminal.screen().contains("begun"));
    assert_eq!(terminal.screen().trim_end(), "begun");
    assert_eq!(super::script(&agent, &[&uri], "echo begun").stderr, "");
    drop(terminal);
    assert_clean(&agent);
}

#[test]
fn the_container_has_no_terminal_and_lines_are_as_they_were_written() {
    if !has_tmux() {
        skip!("tmux is not installed");
    }
    let agent = Agent::new();
    let script = "tty; ( : < /dev/tty ) 2> /dev/null && echo has one; read line; echo got $line; echo fault >&2";
    let call = quoted(&agent, &["--stdin"], script);
    let code = agent.path("code");
    let terminal = Terminal::start(&agent, &format!("{call}; echo $? > {}; exec sleep 1000", code.display()));
    eventually("the command has begun", || terminal.screen().contains("not a tty"));
    terminal.press(&["word", "Enter"]);
    assert_eq!(pid_in(code), 0);
    eventually("all is on the screen", || terminal.screen().contains("fault"));
    let screen = terminal.screen();
    let lines: Vec<&str> = screen.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["not a tty", "word", "got word", "fault"], "{screen}");
    drop(terminal);
    assert_clean(&agent);
}
