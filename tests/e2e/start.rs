//! What a container starts with: descriptors, signals, output files, arguments.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::agent::{Agent, need_root};

#[test]
fn a_container_starts_clean() {
    need_root!();
    let agent = Agent::builder().inherited(0o077, 5).build();
    // Not into a pipe, of which the shell itself may still hold an end when its descriptors are listed.
    let script = "
        ls /proc/$$/fd
        readlink /proc/$$/fd/0
        grep -E '^Sig(Blk|Ign)' /proc/$$/status | cut -f2
        nice; umask
        test \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ && echo leader; true";
    let container = agent.task(script).launch();
    container.complete().assert_status(0);
    let lines: Vec<_> = container.file("stdout").lines().map(|line| line.trim().to_owned()).collect();
    let none = "0000000000000000";
    assert_eq!(lines, ["0", "1", "2", "/dev/null", none, none, "0", "0022", "leader"]);
    assert_eq!(container.file("stderr"), "");
}

#[test]
fn output_is_appended() {
    let agent = Agent::new();
    let task = agent.task("echo out; echo err >&2");
    let sandbox = task.sandbox();
    fs::write(sandbox.join("stdout"), "old out\n").unwrap();
    fs::write(sandbox.join("stderr"), "old err\n").unwrap();
    let container = task.launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "old out\nout\n");
    assert_eq!(container.file("stderr"), "old err\nerr\n");
}

#[test]
fn output_never_goes_through_a_symbolic_link() {
    for name in ["stdout", "stderr"] {
        let agent = Agent::new();
        let target = agent.path("target");
        fs::write(&target, "untouched").unwrap();
        let task = agent.task("echo out; echo err >&2");
        symlink(&target, task.sandbox().join(name)).unwrap();
        let reason = task.refused();
        assert!(reason.contains(name), "{reason}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        // Nor is anything made at the other end.
        let nowhere = agent.path("nowhere");
        let task = agent.task("echo out");
        symlink(&nowhere, task.sandbox().join(name)).unwrap();
        task.refused();
        assert!(!nowhere.exists());
    }
}

#[test]
fn a_pipe_in_place_of_stdout_does_not_hang_the_launch() {
    let agent = Agent::new();
    let task = agent.task("echo out");
    nix::unistd::mkfifo(&task.sandbox().join("stdout"), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    let (_container, launch) = task.spawn();
    launch.finish_within(Duration::from_secs(10)).refused();
    agent.assert_nothing_left();
}

#[test]
fn a_program_gets_its_arguments_as_they_are() {
    need_root!();
    let agent = Agent::new();
    let program = agent.helper("show", "for argument; do echo \"[$argument]\"; done");
    let container = agent.program(program.to_str().unwrap(), &["show", "a b", "", "$HOME", "'"]).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "[a b]\n[]\n[$HOME]\n[']\n");
}

#[test]
fn without_a_user_the_agents_own_is_kept() {
    let agent = Agent::new();
    let container = agent.task("id -un").no_user().launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout").trim(), agent.user());
}
