//! Supervisors and walkers that are killed.

use std::time::Duration;

use super::{agent, change, enforcing, resources, settles, used};
use crate::agent::container::AWAIT_GO;
use crate::agent::messages::Termination;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, Container, eventually};
use nix::sys::signal::Signal;

#[test]
fn who_takes_over_goes_on_with_the_known_figures() {
    let agent = agent().build();
    let container = agent.task("head -c 3M /dev/zero > big; sleep 100").resources(resources(16.0)).launch();
    settles(&container);
    let known = used(&container);
    // From now on nobody walks.
    let held = super::walks::Held::all(&agent);
    std::fs::write(container.path("more"), vec![1; 1 << 20]).unwrap();
    agent.kill_supervisors();
    assert_eq!(used(&container), known, "while nobody looks after it");
    agent.restart_with_memory();
    assert_eq!(used(&container), known);
    drop(held);
    settles(&container);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn who_takes_over_enforces_what_the_container_was_launched_with() {
    let agent = enforcing().build();
    let container = agent.task(&format!("{AWAIT_GO}; head -c 4M /dev/zero > big; sleep 100"));
    let container = container.resources(resources(3.0)).launch();
    settles(&container);
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    container.go();
    let end: Termination = wait.finish().termination();
    end.assert_limit(20);
    agent.assert_nothing_left();
}

/// The walker's process: a child of the supervisor of the same name.
pub fn walkers(agent: &Agent) -> Vec<Process> {
    let all = agent.supervisors();
    let is_child = |process: &Process| all.iter().any(|other| other.pid == process.parent);
    all.iter().filter(|process| is_child(process)).cloned().collect()
}

fn sees_growth(container: &Container<'_>) {
    std::fs::write(container.path("more"), vec![1; 2 << 20]).unwrap();
    settles(container);
}

#[test]
fn a_walker_that_is_killed_is_followed_by_another() {
    let agent = agent().build();
    let container = agent.task("sleep 100").resources(resources(16.0)).launch();
    settles(&container);
    let held = super::walks::Held::all(&agent);
    eventually("a walker waits for its turn", || !walkers(&agent).is_empty());
    let killed: Vec<_> = walkers(&agent);
    killed.iter().for_each(|process| signal(process.pid, Signal::SIGKILL));
    drop(held);
    eventually("it is gone", || killed.iter().all(|process| !Process::is_running(process.pid)));
    sees_growth(&container);
    change(&container, &resources(32.0));
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_walker_ends_with_its_supervisor_and_with_its_container() {
    let agent = agent().build();
    let containers = [(); 2].map(|()| agent.task("sleep 100").launch());
    let held = super::walks::Held::all(&agent);
    eventually("walkers wait", || walkers(&agent).len() == 2);
    let all = walkers(&agent);
    containers[0].destroy();
    eventually("one is gone", || walkers(&agent).len() == 1);
    agent.kill_supervisors();
    eventually("both are gone", || all.iter().all(|process| !Process::is_running(process.pid)));
    drop(held);
    agent.restart_with_memory();
    std::thread::sleep(Duration::from_millis(50));
    containers[1].destroy();
    agent.assert_nothing_left();
}
