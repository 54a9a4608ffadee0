//! Exit codes: the command's, and those of `run` itself.

use super::{assert_clean, run, script};
use crate::agent::Agent;

#[test]
fn the_commands_exit_code_is_passed_on() {
    let agent = Agent::new();
    run(&agent, &[], &["true"]).with(0);
    for code in [1, 3, 255] {
        script(&agent, &[], &format!("exit {code}")).with(code);
    }
    for (signal, code) in [(9, 137), (15, 143), (34, 162)] {
        script(&agent, &[], &format!("kill -{signal} $$; sleep 1000")).with(code);
    }
    assert_clean(&agent);
}

#[test]
fn arguments_reach_the_command_as_they_are() {
    let agent = Agent::new();
    let (stdout, stderr) = run(&agent, &[], &["printf", "<%s>", "a b", "", "$HOME", "--quiet", "--"]).with(0);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("<a b><><$HOME><--quiet><-->", ""));
}

#[test]
fn what_cannot_be_executed_is_told_from_what_is_not_there() {
    let agent = Agent::new();
    for (program, code, text) in [
        ("/nonexistent/program", 127, "cannot execute /nonexistent/program: No such file"),
        ("no-such-program", 127, "cannot execute no-such-program: No such file"),
        ("/etc/passwd", 126, "cannot execute /etc/passwd: Permission denied"),
        ("/tmp", 126, "cannot execute /tmp: Permission denied"),
    ] {
        let said = run(&agent, &[], &[program]).refused(code);
        assert!(said.starts_with(&format!("mesos-ecp: run: {text}")), "{said}");
    }
    assert_clean(&agent);
}

#[test]
fn our_own_failures_are_125() {
    let agent = Agent::new();
    for (flags, text) in [
        (&["--isolaton=posix/cpu"] as &[&str], "unknown flag --isolaton=posix/cpu, did you mean --isolation?"),
        (&["--isolation=no/such"], "isolator \"no/such\" is not known"),
        (&["--fetch_timeout=soon"], "--fetch_timeout=soon"),
        (&["--resources=cpus"], "--resources: entry 1, \"cpus\": there is no colon"),
        (&["--resources=[{}]"], "only the text form is taken"),
        (&["--user=no-such-user"], "user no-such-user is not known"),
        (&["--volume=/tmp:/data:ro"], "a volume (executor_info.container.volumes: container_path \"/data\")"),
        (&["--volume=/tmp"], "--volume=/tmp: write --volume=HOST:CONTAINER"),
        (&["--uri=lib/part.txt"], "--frameworks_home"),
        (&["--sandbox=/nonexistent/sandbox"], "cannot open the sandbox /nonexistent/sandbox"),
        (&["--env=MISSING"], "--env=MISSING"),
        (&["--detach", "--stdin"], "--detach and --stdin do not go together"),
    ] {
        let said = script(&agent, flags, "echo ran").refused(125);
        assert!(said.contains(text), "{flags:?}: {said}");
    }
    assert_clean(&agent);
}

#[test]
fn a_command_is_needed() {
    let agent = Agent::new();
    for words in [&["run"] as &[&str], &["run", "--"]] {
        let output = agent.operator().args(words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.starts_with("mesos-ecp: run: the command is missing: mesos-ecp run"), "{said}");
    }
    let output = agent.operator().args(["run", "echo", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn help_is_no_failure() {
    let agent = Agent::new();
    for words in [&["run", "--help"] as &[&str], &["help", "run"]] {
        let output = agent.operator().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("--resources=TEXT") && text.contains("126"), "{text}");
    }
}
