//! `--pid1=init`: a small init as process 1, the executor its child.

use std::fs;
use std::time::Duration;

use super::inside;
use crate::agent::container::AWAIT_GO;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, Builder, Container, eventually, need_root};
use crate::refusals::assert_says;
use nix::sys::signal::Signal;

fn builder() -> Builder {
    Agent::builder().flag("--isolation=posix/cpu,posix/mem,namespaces/pid").flag("--pid1=init")
}

/// The init of a container whose executor runs.
#[track_caller]
fn init_of(container: &Container) -> i32 {
    let executor = inside(container, 2);
    let init = Process::find(executor.parent).unwrap();
    assert_eq!(init.name, "mesos-ecp-init");
    init.pid
}

#[test]
fn the_executor_is_its_child_with_a_session_of_its_own() {
    need_root!();
    let agent = builder().build();
    let look =
        format!("echo $$ $PPID > pid; ps -o sid= -p $$ > session; ls /proc/self/fd | wc -l > fds; {AWAIT_GO}; exit 7");
    let container = agent.task(&look).launch();
    assert_eq!(container.line("pid"), "2 1");
    assert_eq!(container.line("session").trim(), "2");
    assert_eq!(container.line("fds").trim(), "4");
    let init = init_of(&container);
    container.go();
    container.complete().assert_status(7 << 8);
    assert!(!Process::is_running(init));
    agent.assert_nothing_left();
}

#[test]
fn the_status_is_the_executors() {
    need_root!();
    let agent = builder().build();
    for (script, status) in
        [("exit 0", 0), ("exit 255", 255 << 8), ("kill -TERM $$", 15), ("kill -KILL $$", 9), ("kill -40 $$", 40)]
    {
        agent.task(script).launch().complete().assert_status(status);
    }
    // What else ends does not count, and what goes on does not either.
    let script = "(exit 1) & (sleep 0.05; exit 2) & sleep 1000 & sleep 0.2; exit 3";
    agent.task(script).launch().complete().assert_status(3 << 8);
    agent.assert_nothing_left();
}

#[test]
fn orphans_are_waited_for() {
    need_root!();
    let agent = builder().build();
    let orphans = "for i in 1 2 3 4 5 6 7 8; do (sleep 0.1 &); done; sleep 0.4; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l > zombies; \
                   exec sleep 1000";
    let container = agent.task(orphans).launch();
    assert_eq!(container.line("zombies").trim(), "0");
}

#[test]
fn it_holds_one_file_and_nothing_else() {
    need_root!();
    for user in ["root", "nobody"] {
        let agent = builder().build();
        let container = agent.task("echo > there; exec sleep 1000").user(user).launch();
        container.line("there");
        let init = init_of(&container);
        let at = |name: &str| format!("/proc/{init}/{name}");
        let open: Vec<_> = fs::read_dir(at("fd")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let held = fs::read_link(&open[0]).unwrap();
        assert!(open.len() == 1 && held.ends_with(format!("live/{}/status", container.id)), "{open:?} {held:?}");
        assert_eq!(fs::metadata(&open[0]).unwrap().len(), 4);
        assert!(fs::read(at("environ")).unwrap().is_empty());
        assert_eq!(fs::read_link(at("cwd")).unwrap().to_str(), Some("/"));
        assert!(fs::read_link(at("exe")).unwrap().to_str().unwrap().starts_with("/memfd:mesos-ecp-init"));
        let status = fs::read_to_string(at("status")).unwrap();
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(line(set), "0000000000000000", "{set}");
        }
        let uid = nix::unistd::User::from_name(user).unwrap().unwrap().uid.to_string();
        assert_eq!(line("Uid:").split_ascii_whitespace().next(), Some(uid.as_str()));
        let kilobytes: u32 = line("VmRSS:").split(' ').next().unwrap().parse().unwrap();
        assert!(kilobytes <= 64, "{kilobytes} kB");
        assert_eq!(line("SigCgt:"), "0000000000000000");
        // What is known of a process that is not dumpable belongs to root.
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(at("environ")).unwrap()), 0);
        container.destroy();
    }
}

/// What a container does to its process 1, as root but without the right to trace everybody.
#[test]
fn it_cannot_be_looked_into_changed_or_ended_from_inside() {
    need_root!();
    let agent = builder().build();
    let attack = "for s in TERM KILL STOP SEGV; do kill -$s 1; done; readlink /proc/1/exe && echo exe > won; ls /proc/1/fd/0 && echo fd > won; \
                  (echo x > /proc/1/exe) && echo write > won; (echo x > /proc/1/fd/0) && echo status > won; \
                  cat /proc/1/environ && echo environ > won; echo > tried; exit 4";
    let container = agent.task(attack).user("nobody").launch();
    container.complete().assert_status(4 << 8);
    container.line("tried");
    assert_eq!(container.file("won"), "");
    // Root, who may: it is a copy in memory, sealed.
    let container =
        agent.task("(echo x >> /proc/1/exe) && echo > won; (echo x > /proc/1/exe) && echo > won; exit 5").launch();
    container.complete().assert_status(5 << 8);
    assert_eq!(container.file("won"), "");
}

#[test]
fn destroy_ends_it_by_its_init() {
    need_root!();
    let agent = builder().build();
    let container = agent.task("(setsid sleep 1000 &); echo > there; exec sleep 1000").launch();
    container.line("there");
    let init = init_of(&container);
    container.destroy();
    assert!(!Process::is_running(init));
    container.wait().assert_status(libc::SIGKILL);
    agent.assert_nothing_left();
}

#[test]
fn an_init_that_is_killed_takes_all_with_it() {
    need_root!();
    let agent = builder().build();
    let container = agent.task("echo > there; exec sleep 1000").launch();
    container.line("there");
    signal(init_of(&container), Signal::SIGKILL);
    container.complete().assert_status(libc::SIGKILL);
    agent.assert_nothing_left();
}

#[test]
fn a_command_that_cannot_be_executed_is_told() {
    need_root!();
    let agent = builder().build();
    assert_says(
        &agent.program("/nonexistent/program", &["x"]).refused(),
        &["cannot execute /nonexistent/program", "No such file"],
    );
}

/// The pids limit leaves room for the init only.
#[test]
fn a_child_that_cannot_be_made_is_told() {
    need_root!();
    let agent = Agent::builder()
        .flag("--isolation=cgroups/pids,namespaces/pid")
        .flag("--pid1=init")
        .flag("--cgroups_pids_max=1")
        .build();
    assert_says(&agent.task("true").refused(), &["under the init", "temporarily unavailable"]);
}

#[test]
fn without_the_program_it_is_refused() {
    need_root!();
    let agent = builder().own_fetcher(true).build();
    assert_says(&agent.task("true").refused(), &["--pid1=init", "mesos-ecp-init", "--pid1=executor"]);
}

/// Nobody is there to see the end: neither supervisor nor `wait`. No kernel keeps the status of that.
#[test]
fn a_status_outlives_everybody() {
    need_root!();
    let agent = builder().build();
    for (script, status) in [("exit 7", 7 << 8), ("kill -TERM $$", 15)] {
        let container = agent.task(&format!("echo > there; {AWAIT_GO}; {script}")).launch();
        container.line("there");
        let init = init_of(&container);
        agent.kill_supervisors();
        container.go();
        eventually("the init is gone and reaped", || Process::find(init).is_none());
        container.spawn_wait().finish_within(Duration::from_secs(10)).termination().assert_status(status);
        container.note_end();
        agent.assert_nothing_left();
    }
}

#[test]
fn who_takes_over_has_the_status_from_the_init() {
    need_root!();
    let agent = builder().build();
    let container = agent.task(&format!("echo > there; {AWAIT_GO}; exit 7")).launch();
    container.line("there");
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    assert_eq!(recovered.listed, [container.id.as_str()]);
    let wait = recovered.wait(&container);
    container.go();
    wait.finish().termination().assert_status(7 << 8);
    agent.assert_nothing_left();
}
