//! `namespaces/pid`: what the container sees, and that all of it ends with its first process.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{agent, host_mounts, inside, ours};
use crate::agent::container::AWAIT_GO;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, cgroups, eventually, need_root, skip};
use crate::refusals::assert_says;

const PID: &str = "namespaces/pid";

#[test]
fn the_container_sees_itself_only() {
    need_root!();
    let agent = agent(PID);
    let mounts = host_mounts();
    let look = "echo $$ $PPID > pid; ls -d /proc/[0-9]* > seen; readlink /proc/self/ns/pid /proc/self/ns/mnt > ns; \
                grep ' /proc ' /proc/self/mountinfo | tail -n 1 > proc; ls /proc/self/fd | wc -l > fds; sleep 1000 & exec sleep 1000";
    let container = agent.task(look).launch();
    container.line("fds");
    assert_eq!(container.line("pid"), "1 0");
    // The shell, whose list it is.
    assert_eq!(container.file("seen").trim(), "/proc/1");
    let own = container.file("ns");
    assert!(!own.contains(&ours("pid")) && !own.contains(&ours("mnt")), "{own}");
    let proc = container.line("proc");
    assert!(
        ["nosuid", "nodev", "noexec"].iter().all(|option| proc.contains(option)) && proc.contains(" - proc "),
        "{proc}"
    );
    // 0, 1, 2 and the directory that is read.
    assert_eq!(container.line("fds").trim(), "4");
    assert_eq!(host_mounts(), mounts, "the host's mounts have changed");
    container.destroy();
    assert_eq!(host_mounts(), mounts, "the host's mounts have changed");
    agent.assert_nothing_left();
}

#[test]
fn all_of_it_ends_with_its_first_process() {
    need_root!();
    let agent = agent(PID);
    // Detached, deaf, stopped, and many.
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM HUP INT; echo > one; while :; do sleep 1; done' &) ; \
         (setsid sh -c 'echo > two; kill -STOP $$' &) ; for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; {AWAIT_GO}; exit 5"
    );
    let container = agent.task(&script).launch();
    container.line("one");
    container.line("two");
    eventually("all of them run", || container.processes().len() >= 11);
    let all: Vec<i32> = container.processes().iter().map(|process| process.pid).collect();
    let wait = container.spawn_wait();
    container.go();
    wait.finish().termination().assert_status(5 << 8);
    assert!(all.iter().all(|pid| !Process::is_running(*pid)));
    agent.assert_nothing_left();
}

/// By the namespace within a moment; what the namespace does not hold, by the cgroups.
#[test]
fn destroy_ends_it_and_what_came_from_outside() {
    need_root!();
    let agent = agent(PID);
    let container = agent.task("echo > there; sleep 1000 & sleep 1000").launch();
    container.line("there");
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let freezer = container.cgroup("freezer");
    fs::write(freezer.join("cgroup.procs"), stranger.id().to_string()).unwrap();
    let first = inside(&container, 1);
    container.destroy();
    assert!(!Process::is_running(first.pid));
    let status = stranger.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
    container.wait().assert_status(libc::SIGKILL);
    agent.assert_nothing_left();
}

#[test]
fn one_that_is_frozen_is_destroyed() {
    need_root!();
    if !cgroups::is_v1("freezer") {
        skip!("no v1 freezer hierarchy");
    }
    let agent = agent(PID);
    let container = agent.task("echo > there; sleep 1000 & sleep 1000").launch();
    container.line("there");
    let state = container.cgroup("freezer").join("freezer.state");
    fs::write(&state, "FROZEN").unwrap();
    eventually("it is frozen", || fs::read_to_string(&state).unwrap().trim() == "FROZEN");
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn what_process_1_has_no_handler_for_does_not_reach_it_from_inside() {
    need_root!();
    let agent = agent(PID);
    let script = "sh -c 'kill -TERM 1; kill -KILL 1; kill -STOP 1'; echo > survived; trap 'exit 6' USR1; sh -c 'kill -USR1 1'; exit 7";
    let container = agent.task(script).launch();
    container.complete().assert_status(6 << 8);
    container.line("survived");
}

#[test]
fn usage_counts_what_is_inside() {
    need_root!();
    let flags = "--isolation=cgroups/cpu,namespaces/pid";
    let agent = Agent::builder().flag(flags).flag("--cgroups_cpu_enable_pids_and_tids_count").build();
    let container = agent.task("sleep 1000 & sleep 1000 & echo > there; exec sleep 1000").launch();
    container.line("there");
    eventually("three processes are counted", || {
        let message = container.usage().message;
        (message.get_varint(30), message.get_varint(31)) == (Some(3), Some(3))
    });
}

#[test]
fn cpu_time_and_memory_are_measured_without_cgroups_of_theirs() {
    need_root!();
    let agent = agent(PID);
    let container = agent.task("while :; do :; done").launch();
    eventually("it has used CPU time", || container.usage().cpu_seconds().unwrap() >= 0.1);
    let usage = container.usage();
    assert!(usage.mem_rss_bytes().is_some_and(|bytes| bytes > 0), "{usage:?}");
    assert_eq!(usage.message.get_varint(30), Some(1), "{usage:?}");
}

#[test]
fn a_failed_launch_leaves_nothing() {
    need_root!();
    let agent = agent(PID);
    let mounts = host_mounts();
    assert_says(&agent.program("/nonexistent/program", &["x"]).refused(), &["cannot execute /nonexistent/program"]);
    assert_eq!(host_mounts(), mounts);
}

#[test]
fn it_takes_root_and_the_linux_launcher() {
    need_root!();
    let posix = Agent::builder().flag("--isolation=namespaces/pid").flag("--launcher=posix").build();
    assert_says(&posix.task("true").refused(), &[PID, "linux launcher"]);
    let nobody = Agent::builder().flag("--isolation=namespaces/pid").unprivileged().build();
    assert_says(&nobody.task("true").refused(), &[PID, "needs root"]);
}

/// It may be traced, which makes its end wait: destroy comes to the cgroups then and says what is left, or ends it.
#[test]
fn a_process_that_is_slow_to_end_is_waited_for() {
    need_root!();
    let agent = agent(PID);
    let container = agent.task("sleep 1000 & echo > there; exec sleep 1000").launch();
    container.line("there");
    inside(&container, 1);
    container.processes().iter().for_each(|process| signal(process.pid, Signal::SIGSTOP));
    let begin = Instant::now();
    container.destroy();
    assert!(begin.elapsed() < crate::agent::patient(Duration::from_secs(10)));
    agent.assert_nothing_left();
}
