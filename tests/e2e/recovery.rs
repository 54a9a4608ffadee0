//! Agents that die and come back, and supervisors that are killed.

use std::fs;
use std::time::Duration;

use crate::agent::container::AWAIT_GO;
use crate::agent::messages::Termination;
use crate::agent::processes::Process;
use crate::agent::{Agent, Container, eventually};

/// A task that ends with 7 when it is told to go, after it has written down its process id.
pub fn lasting(agent: &Agent) -> Container<'_> {
    let container = agent.task(&format!("echo $$ > pid; {AWAIT_GO}; exit 7")).launch();
    container.pid("pid");
    container
}

/// Whether the kernel tells the exit status of a process that is not a child: from 6.15 on.
fn kernel_tells_statuses() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

/// Fails the test unless this is status 7, or no status where the kernel tells none: on older ones it is seen if whoever
/// took over looks before pid 1 reaps.
#[track_caller]
pub fn assert_seven_or_unknown(termination: &Termination) {
    if kernel_tells_statuses() || termination.status.is_some() {
        assert_eq!((termination.killed, termination.status), (false, Some(7 << 8)), "{termination:?}");
    } else {
        termination.assert_unknown();
    }
}

#[test]
fn an_agent_that_comes_back_gets_the_true_status() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let orphan = container.spawn_wait().orphan();
    let mut recovered = agent.restart_with_memory();
    assert_eq!(recovered.listed, [container.id.as_str()]);
    let mut wait = recovered.wait(&container);
    wait.assert_running_for(Duration::from_millis(200));
    container.go();
    wait.finish().termination().assert_status(7 << 8);
    drop(orphan);
}

#[test]
fn an_agent_may_come_back_again_and_again() {
    let agent = Agent::new();
    let container = lasting(&agent);
    for _ in 0..3 {
        let mut recovered = agent.restart_with_memory();
        recovered.wait(&container).kill();
    }
    container.go();
    container.complete().assert_status(7 << 8);
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn an_agent_without_memory_destroys_what_it_finds() {
    let agent = Agent::new();
    let containers = [lasting(&agent), lasting(&agent), lasting(&agent)];
    let mut ids: Vec<_> = containers.iter().map(|container| container.id.clone()).collect();
    ids.sort();
    let recovered = agent.restart_without_memory();
    assert_eq!(recovered.orphans, ids);
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn what_ended_while_the_agent_was_down_is_listed_and_answered() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let orphan = container.spawn_wait().orphan();
    assert_eq!(orphan.exit_code(Duration::from_secs(10)), Some(1));
    container.go();
    agent.assert_nothing_left();
    let mut recovered = agent.restart_with_memory();
    assert!(recovered.lost.is_empty(), "{:?}", recovered.lost);
    recovered.wait(&container).finish().termination().assert_status(7 << 8);
}

#[test]
fn what_was_answered_but_not_noted_is_listed_again() {
    let agent = Agent::new();
    let container = lasting(&agent);
    container.go();
    container.wait().assert_status(7 << 8);
    let mut recovered = agent.restart_with_memory();
    assert_eq!(recovered.listed, [container.id.as_str()]);
    recovered.wait(&container).finish().termination().assert_status(7 << 8);
}

#[test]
fn what_was_answered_and_noted_is_not_listed() {
    let agent = Agent::new();
    let container = lasting(&agent);
    container.go();
    container.complete().assert_status(7 << 8);
    let recovered = agent.restart_with_memory();
    assert!(recovered.listed.is_empty() && recovered.lost.is_empty());
    // A further wait is answered all the same.
    container.wait().assert_status(7 << 8);
}

#[test]
fn what_was_destroyed_is_never_listed() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let wait = container.spawn_wait();
    container.destroy();
    wait.kill();
    assert!(agent.restart_with_memory().listed.is_empty());
    assert!(agent.restart_without_memory().listed.is_empty());
    container.wait();
    assert!(agent.containers().is_empty());
}

#[test]
fn a_supervisor_killed_before_the_wait_is_replaced() {
    let agent = Agent::new();
    let container = lasting(&agent);
    agent.kill_supervisors();
    let mut wait = container.spawn_wait();
    wait.assert_running_for(Duration::from_millis(500));
    container.usage();
    container.go();
    assert_seven_or_unknown(&wait.finish().termination());
    agent.assert_nothing_left();
}

#[test]
fn a_supervisor_killed_during_the_wait_is_replaced() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let mut wait = container.spawn_wait();
    wait.assert_running_for(Duration::from_millis(200));
    agent.kill_supervisors();
    wait.assert_running_for(Duration::from_millis(500));
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.go();
    assert_seven_or_unknown(&wait.finish().termination());
    agent.assert_nothing_left();
}

#[test]
fn recover_replaces_a_killed_supervisor() {
    let agent = Agent::new();
    let container = lasting(&agent);
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    assert_eq!(recovered.listed, [container.id.as_str()]);
    eventually("a new supervisor", || !agent.supervisors().is_empty());
    let wait = recovered.wait(&container);
    container.go();
    assert_seven_or_unknown(&wait.finish().termination());
    agent.assert_nothing_left();
}

#[test]
fn supervisor_and_wait_may_both_be_killed() {
    let agent = Agent::new();
    let container = lasting(&agent);
    for _ in 0..2 {
        let mut wait = container.spawn_wait();
        wait.assert_running_for(Duration::from_millis(200));
        agent.kill_supervisors();
        wait.kill();
        let mut recovered = agent.restart_with_memory();
        recovered.wait(&container).kill();
        eventually("a new supervisor", || !agent.supervisors().is_empty());
    }
    container.update(&[("cpus", 2.0)]);
    assert_eq!(container.usage().cpus_limit(), Some(2.0));
    let wait = container.spawn_wait();
    container.go();
    assert_seven_or_unknown(&wait.finish().termination());
    agent.assert_nothing_left();
}

#[test]
fn a_container_without_a_supervisor_can_be_destroyed() {
    let agent = Agent::new();
    let container = agent.task("setsid sh -c 'echo $$ > other; sleep 1000' & echo $$ > pid; sleep 1000").launch();
    let pids = [container.pid("pid"), container.pid("other")];
    agent.kill_supervisors();
    container.destroy();
    assert!(!Process::is_running(pids[0]));
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn an_end_that_nobody_saw_is_answered_without_a_status() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let pid = container.pid("pid");
    agent.kill_supervisors();
    container.go();
    eventually("the container's first process is gone and reaped", || Process::find(pid).is_none());
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.spawn_wait().finish_within(Duration::from_secs(10)).termination().assert_unknown();
    container.note_end();
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_second_launch_of_an_ended_container_begins_anew() {
    let agent = Agent::new();
    let first = agent.task("exit 1").launch();
    first.complete().assert_status(256);
    let again = agent.task("exit 2").id(&first.id).launch();
    again.wait().assert_status(512);
}
