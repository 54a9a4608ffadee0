//! Launches that take their time, fail, or are cut short.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::agent::messages::uri;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, Call, Container, eventually};

/// A URI that only the agent's `mesos-fetcher` can fetch.
const SLOW: &str = "hdfs://127.0.0.1:9/slow.bin";

/// Starts a launch that is busy fetching until the file `open` is there.
fn slow_launch(agent: &Agent) -> (Container<'_>, Call<'_>) {
    agent.fetcher("touch started; while [ ! -e open ]; do sleep 0.02; done; touch slow.bin");
    let (container, launch) = agent.task("test -e slow.bin && exit 6").uri(uri(SLOW)).spawn();
    eventually("the fetcher has started", || container.path("started").exists());
    (container, launch)
}

#[test]
fn a_wait_blocks_on_a_launch_in_progress() {
    let agent = Agent::new();
    let (container, launch) = slow_launch(&agent);
    assert_eq!(agent.containers(), [container.id.as_str()]);
    let mut wait = container.spawn_wait();
    wait.assert_running_for(Duration::from_millis(300));
    fs::write(container.path("open"), "").unwrap();
    launch.finish().ok();
    wait.finish().termination().assert_status(6 << 8);
}

#[test]
fn destroy_cancels_a_launch_in_progress() {
    let agent = Agent::new();
    let (container, launch) = slow_launch(&agent);
    container.destroy();
    launch.finish().refused();
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_launch_that_is_killed_midway_leaves_nothing() {
    let agent = Agent::new();
    let (_container, launch) = slow_launch(&agent);
    launch.kill_alone();
    agent.assert_nothing_left();
    assert!(agent.containers().is_empty());
}

#[test]
fn a_launch_that_is_killed_with_its_supervisor_leaves_nothing_after_recover() {
    let agent = Agent::new();
    let (_container, launch) = slow_launch(&agent);
    launch.kill();
    agent.invoke("recover").run().ok();
    agent.assert_nothing_left();
    assert!(agent.containers().is_empty());
}

#[test]
fn a_failed_fetch_fails_the_launch() {
    let agent = Agent::new();
    agent.fetcher("echo cannot fetch >&2; exit 1");
    let reason = agent.task("exit 0").uri(uri(SLOW)).refused();
    assert!(reason.contains(SLOW), "{reason}");
    let missing = agent.path("missing.txt");
    let reason = agent.task("exit 0").uri(uri(missing.to_str().unwrap())).refused();
    assert!(reason.contains("missing.txt"), "{reason}");
}

#[test]
fn a_launch_fails_whose_first_process_is_killed_before_it_becomes_the_command() {
    let agent = Agent::new();
    let (container, launch) = slow_launch(&agent);
    // What looks after the container has children: who fetches, and who is held in a session of its own.
    let mut held = Vec::new();
    eventually("one process is held", || {
        let own = agent.supervisors();
        let is_held = |p: &&Process| p.session == p.pid && own.iter().any(|supervisor| supervisor.pid == p.parent);
        held = own.iter().filter(is_held).map(|process| process.pid).collect();
        held.len() == 1
    });
    signal(held[0], Signal::SIGKILL);
    eventually("the held process has died", || !Process::is_running(held[0]));
    fs::write(container.path("open"), "").unwrap();
    let reason = launch.finish().refused();
    assert!(reason.contains("killed before it could execute the command"), "{reason}");
    agent.assert_nothing_left();
    assert!(agent.containers().is_empty());
}
