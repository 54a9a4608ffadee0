//! `cgroups/pids`: a limit, and what is under it.

use crate::agent::messages::{scalar, update};
use crate::agent::{Agent, Container, cgroups, eventually, need_root};

const FLAG: &str = "--isolation=cgroups/pids";

/// An update with a flag of its own, as after a restart of the agent with other flags.
#[track_caller]
fn update_with(container: &Container, flag: &str) {
    let record = update(&container.id, &[scalar("cpus", 0.5)]).record();
    container.invoke("update").record(record).flag(flag).run().ok();
}

#[test]
fn only_the_hierarchies_that_were_asked_for_are_joined() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let container = agent.task("cat /proc/self/cgroup > cgroup").launch();
    container.complete().assert_status(0);
    let own = format!("/{}/{}", agent.cgroups_root, container.id);
    let ours = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    for line in container.file("cgroup").lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
        match controllers {
            "pids" | "freezer" | "" => assert_eq!(path, own, "{line}"),
            // Where systemd is, its own units are left.
            name if name.starts_with("name=") => {}
            _ => assert!(ours.lines().any(|l| l == line), "{line} is not in {ours}"),
        }
    }
    agent.assert_nothing_left();
}

#[test]
fn without_the_flag_there_is_no_limit_but_a_count() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let container = agent.task("sleep 1000 & sleep 1000 & echo > there; exec sleep 1000").launch();
    container.line("there");
    assert_eq!(container.control("pids", "pids.max"), "max");
    eventually("three threads are counted", || {
        let threads = container.usage().message.get_varint(31);
        threads == Some(3) && container.control("pids", "pids.current") == "3"
    });
    assert_eq!(container.usage().message.get_varint(30), None, "processes are not told apart");
}

#[test]
fn the_limit_holds_a_fork_loop() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).flag("--cgroups_pids_max=10").build();
    // The shell that cannot fork ends; the one around it goes on.
    let bomb = "(i=0; while [ $i -lt 50 ]; do sleep 1000 & i=$((i+1)); done; echo > all); echo > over; exec sleep 1000";
    let container = agent.task(bomb).launch();
    assert_eq!(container.control("pids", "pids.max"), "10");
    container.line("over");
    assert_eq!(container.file("all"), "", "50 processes were made");
    let current: u64 = container.control("pids", "pids.current").parse().unwrap();
    assert!((5..=10).contains(&current), "{current}");
    let refused = container.control("pids", "pids.events");
    assert!(!refused.lines().any(|line| line == "max 0"), "{refused}");
    assert_eq!(container.usage().message.get_varint(31), Some(current));
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn the_flag_decides_at_the_next_update_and_the_limit_outlives_the_supervisor() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let container = agent.task("exec sleep 1000").flag("--cgroups_pids_max=20").launch();
    let max = || container.control("pids", "pids.max");
    assert_eq!(max(), "20");
    update_with(&container, "--cgroups_pids_max=20");
    assert_eq!(max(), "20");
    update_with(&container, "--cgroups_pids_max=30");
    assert_eq!(max(), "30");
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    assert_eq!(max(), "30");
    container.update(&[]);
    assert_eq!(max(), "max");
    // What others set is theirs.
    std::fs::write(container.cgroup("pids").join("pids.max"), "77").unwrap();
    container.update(&[("cpus", 1.0)]);
    assert_eq!(max(), "77");
    // More than there can ever be: the kernel would not take it.
    update_with(&container, "--cgroups_pids_max=99999999");
    assert_eq!(max(), "4194304".to_owned());
    container.destroy();
    let _ = recovered.wait(&container).finish().termination();
    agent.assert_nothing_left();
}

#[test]
fn every_process_is_in_it_from_the_first_on() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let container = agent.task("(setsid sh -c 'echo $$ > pid; exec sleep 1000' &); exec sleep 1000").launch();
    let controller = if cgroups::is_v1("pids") { "pids" } else { "" };
    let own = format!("/{}/{}", agent.cgroups_root, container.id);
    assert_eq!(cgroups::of_process(container.pid("pid"), controller), own);
    assert_eq!(cgroups::of_process(container.first_pid(), controller), own);
}
