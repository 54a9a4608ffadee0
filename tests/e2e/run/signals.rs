//! Signals to `run`.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::pipe;

use super::{Running, assert_clean, assert_ends, await_commit, command, named_sandbox, pid_in};
use crate::agent::processes::Process;
use crate::agent::{Agent, eventually};

/// A container that takes no notice of signals, nor does what it has started, and their pids.
fn stubborn(agent: &Agent, prefix: &[&str]) -> (Running, [i32; 2]) {
    let (sandbox, flag) = named_sandbox(agent);
    let script = "trap '' TERM INT HUP QUIT
        (setsid sh -c 'echo $$ > other; while :; do sleep 1; done' &)
        echo $$ > first; echo ready; while :; do sleep 1; done";
    let call = command(agent, &[&flag], &["sh", "-c", script]);
    let mut running = Running::start(&mut through(prefix, call));
    assert_eq!(running.line(), "ready");
    (running, ["first", "other"].map(|name| pid_in(sandbox.join(name))))
}

/// The call as arguments of another program, which becomes it.
fn through(prefix: &[&str], call: std::process::Command) -> std::process::Command {
    let Some((program, words)) = prefix.split_first() else { return call };
    let mut outer = std::process::Command::new(program);
    outer.args(words).arg(call.get_program()).args(call.get_args());
    let variables = call.get_envs().filter_map(|(name, value)| Some((name, value?)));
    outer.env_clear().envs(variables).current_dir(call.get_current_dir().unwrap());
    outer.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    outer
}

#[test]
fn a_signal_ends_the_container() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGQUIT, 131)]
    {
        let agent = Agent::new();
        let (running, pids) = stubborn(&agent, &[]);
        running.signal(signal);
        assert_eq!(running.end().with(code), (String::new(), String::new()), "{signal}");
        assert!(pids.iter().all(|pid| !Process::is_running(*pid)), "{signal}");
        assert_clean(&agent);
    }
}

#[test]
fn later_signals_change_nothing() {
    let agent = Agent::new();
    let (running, pids) = stubborn(&agent, &[]);
    for signal in [Signal::SIGINT, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        running.signal(signal);
    }
    let code = running.end().code;
    // Of signals that are pending together the kernel hands over the lowest number first.
    assert!(matches!(code, Some(129 | 130)), "{code:?}");
    assert!(pids.iter().all(|pid| !Process::is_running(*pid)));
    assert_clean(&agent);
}

#[test]
fn a_signal_during_the_fetching_calls_the_launch_off() {
    let agent = Agent::new();
    agent.fetcher("echo fetching; sleep 1000 & sleep 1000");
    let mark = agent.path("mark");
    let words = ["touch", mark.to_str().unwrap()];
    for _ in 0..2 {
        let mut running = Running::start(&mut command(&agent, &["--uri=hdfs://127.0.0.1:9/file"], &words));
        assert_eq!(running.line(), "fetching");
        running.signal(Signal::SIGTERM);
        assert_eq!(running.end().with(143).1, "");
    }
    assert!(!mark.exists(), "the command ran");
    assert_clean(&agent);
}

#[test]
fn a_signal_at_any_moment_leaves_nothing() {
    let agent = Agent::new();
    for delay in (0..24_u64).map(|n| Duration::from_micros(n * 700)) {
        let running = Running::start(&mut command(&agent, &[], &["sleep", "1000"]));
        std::thread::sleep(delay);
        running.signal(Signal::SIGTERM);
        let mut running = running;
        let end = std::iter::from_fn(|| Some(running.child.wait().unwrap())).next().unwrap();
        // Before it looks for signals it is simply ended by one.
        assert!(end.code() == Some(143) || end.signal() == Some(15), "{delay:?}: {end}");
    }
    assert_clean(&agent);
}

#[test]
fn a_signal_is_heard_while_the_reader_is_stuck() {
    let agent = Agent::new();
    let mut running = Running::start(&mut command(&agent, &[], &["yes"]));
    // All pipes fill up; then there is room for a little, but not for all that waits, and nobody reads on.
    std::thread::sleep(Duration::from_millis(300));
    running.stdout.as_mut().unwrap().read_exact(&mut [0; 10_000]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.code(), Some(143));
    assert_clean(&agent);
}

#[test]
fn a_signal_is_heard_while_both_streams_share_a_pipe_that_is_full() {
    let agent = Agent::new();
    // Whatever the number of pages that are left when both are found ready.
    for odd in 0..4 {
        let (reader, writer) = pipe().unwrap();
        let script = format!("head -c {} /dev/zero; yes & yes >&2", odd * 100);
        let mut call = command(&agent, &[], &["sh", "-c", &script]);
        let mut running = Running::start(call.stdout(writer.try_clone().unwrap()).stderr(writer));
        drop(call);
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::SIGTERM);
        assert_eq!(running.code(), Some(143), "{odd}");
        drop(reader);
    }
    assert_clean(&agent);
}

#[test]
fn a_signal_is_heard_while_nobody_reads_the_terminal() {
    let agent = Agent::new();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut call = command(&agent, &[], &["yes"]);
    let mut running = Running::start(call.stdout(terminal.slave));
    drop(call);
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.code(), Some(143));
    drop(terminal.master);
    assert_clean(&agent);
}

#[test]
fn what_the_caller_ignores_stays_ignored() {
    let agent = Agent::new();
    let (running, pids) = stubborn(&agent, &["sh", "-c", "trap '' HUP INT; exec \"$0\" \"$@\""]);
    running.signal(Signal::SIGHUP);
    running.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    assert!(pids.iter().all(|pid| Process::is_running(*pid)), "an ignored signal has ended the container");
    running.signal(Signal::SIGTERM);
    running.end().with(143);
    assert_clean(&agent);
}

#[test]
fn a_killed_run_leaves_a_container_that_can_be_destroyed() {
    let agent = Agent::new();
    let (mut running, pids) = stubborn(&agent, &[]);
    await_commit(&agent);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.code(), None);
    std::thread::sleep(Duration::from_millis(200));
    assert!(pids.iter().all(|pid| Process::is_running(*pid)), "the container ended with run");
    let listed = agent.containers();
    assert_eq!(listed.len(), 1);
    let wait = agent.about("wait", &listed[0]).spawn();
    agent.about("destroy", &listed[0]).run().ok();
    pids.into_iter().for_each(assert_ends);
    wait.finish().termination().assert_status(9);
    eventually("it is listed no more", || agent.containers().is_empty());
    agent.assert_nothing_left();
}
