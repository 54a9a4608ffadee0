//! What is seen in containers with isolators: what they are about, and that nothing else is different.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::clean::{assert_clean, assert_clean_but_for_ambient};
use super::{Report, report, task};
use crate::agent::wire::Message;
use crate::agent::{Agent, Task, need_root};

const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// Those namespaces that are not the host's.
pub fn own_namespaces(report: &Report) -> BTreeSet<&'static str> {
    let host = |name: &str| fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino();
    NAMESPACES.into_iter().filter(|name| report.namespace(name) != host(name)).collect()
}

fn agent(isolation: &str) -> Agent {
    Agent::builder().flag(&format!("--isolation={isolation}")).inherited(0o077, 5).build()
}

/// A task with this ContainerInfo of Mesos' own kind.
pub fn with_container<'a>(task: Task<'a>, edit: impl Fn(Message) -> Message + 'a) -> Task<'a> {
    task.edit(move |launch| {
        launch.edit(3, |executor| {
            let info = edit(Message::new().varint(1, 2));
            executor.remove(11);
            *executor = std::mem::take(executor).message(11, &info);
        });
    })
}

/// Launches the program with these isolators and sees to what must always be so.
#[track_caller]
fn seen_with(isolation: &str, namespaces: &[&str]) -> Report {
    let agent = agent(isolation);
    let report = report(task(&agent, &["/dev/shm", "/tmp"]));
    assert_clean(&report);
    assert_eq!(own_namespaces(&report), namespaces.iter().copied().collect(), "{isolation}");
    agent.assert_nothing_left();
    report
}

#[test]
fn a_pid_namespace_shows_the_container_alone() {
    need_root!();
    let report = seen_with("namespaces/pid", &["mnt", "pid"]);
    assert_eq!((report.number("pid"), report.number("ppid")), (1, 0));
    assert_eq!(report.processes().unwrap(), [1]);
    let proc = report.mount("/proc").unwrap();
    assert_eq!(proc.kind, "proc");
    assert!(["nosuid", "nodev", "noexec"].iter().all(|option| proc.is(option)), "{proc:?}");
    assert!(report.mounts().iter().all(|mount| !mount.propagation.iter().any(|p| p.starts_with("shared:"))));
}

#[test]
fn an_init_is_all_that_is_added() {
    need_root!();
    let agent = Agent::builder().flag("--isolation=namespaces/pid").flag("--pid1=init").build();
    let report = report(task(&agent, &["/proc/1/fd"]));
    assert_clean(&report);
    assert_eq!((report.number("pid"), report.number("ppid")), (2, 1));
    assert_eq!(report.processes().unwrap(), [1, 2]);
    agent.assert_nothing_left();
}

#[test]
fn an_ipc_namespace_has_an_empty_dev_shm() {
    need_root!();
    let report = seen_with("namespaces/ipc", &["ipc", "mnt"]);
    assert_eq!(report.directory("/dev/shm"), Ok(vec![]));
    assert_eq!(report.mount("/dev/shm").unwrap().kind, "tmpfs");
}

#[test]
fn a_uts_namespace_has_the_records_hostname() {
    need_root!();
    let agent = agent("namespaces/uts");
    let report = report(with_container(task(&agent, &[]), |info| info.bytes(4, "a-name.example")));
    assert_clean(&report);
    assert_eq!(report.text("hostname"), "a-name.example");
    assert_eq!(own_namespaces(&report), BTreeSet::from(["uts"]));
    assert_ne!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim(), "a-name.example");
}

#[test]
fn several_namespaces_at_once() {
    need_root!();
    let report = seen_with("namespaces/pid,namespaces/ipc,namespaces/uts", &["ipc", "mnt", "pid", "uts"]);
    assert_eq!(report.processes().unwrap(), [1]);
    assert_eq!(report.directory("/dev/shm"), Ok(vec![]));
}

/// Of each kind of user.
#[test]
fn capabilities_are_those_of_the_flags() {
    need_root!();
    const NET_RAW: u64 = 1 << 13;
    const CHOWN: u64 = 1;
    for user in ["root", "nobody"] {
        let agent = Agent::builder()
            .flag("--isolation=linux/capabilities")
            .flag("--effective_capabilities=NET_RAW")
            .flag("--bounding_capabilities=NET_RAW,CHOWN")
            .build();
        let copy = agent.copy("inside", &super::program());
        let report = report(super::program_task(&agent, &copy, &[]).user(user));
        assert_clean_but_for_ambient(&report);
        let sets = report.capabilities();
        assert_eq!(sets.effective, NET_RAW, "{user}: {sets:?}");
        // Root's is smaller: whatever is in it root gets by executing a program.
        let bounding = if user == "root" { NET_RAW } else { NET_RAW | CHOWN };
        assert_eq!(sets.bounding, bounding, "{user}: {sets:?}");
        assert!(own_namespaces(&report).is_empty());
    }
}

#[test]
fn limits_are_those_of_the_flag_and_nothing_else_is_different() {
    need_root!();
    let agent =
        Agent::builder().flag("--isolation=posix/rlimits").flag("--default_rlimits=NOFILE=64:128,CORE=0").build();
    let report = report(task(&agent, &[]));
    assert_clean(&report);
    let limits = report.rlimits();
    assert_eq!((limits["nofile"], limits["core"]), ((64, 128), (0, 0)));
    assert!(own_namespaces(&report).is_empty());
}
