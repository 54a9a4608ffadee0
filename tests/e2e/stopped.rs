//! Stopped and frozen processes: they do not answer, and do not die at once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::agent::messages::uri;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, Container, eventually, need_root, patient, skip};
use crate::recovery::lasting;
use crate::refusals::assert_says;
use crate::unkillable::{FREEZER, Freezer};

/// Stops what looks after the agent's containers.
fn stop_supervisors(agent: &Agent) {
    let supervisors = agent.supervisors();
    assert!(!supervisors.is_empty(), "nobody looks after the container");
    supervisors.iter().for_each(|process| signal(process.pid, Signal::SIGSTOP));
    eventually("the supervisor is stopped", || {
        supervisors.iter().all(|process| Process::find(process.pid).is_some_and(|process| process.state == 'T'))
    });
}

/// Destroys a container whose supervisor is stopped.
#[track_caller]
fn destroy_within_ten_seconds(container: &Container) {
    let begin = Instant::now();
    container.destroy();
    assert!(begin.elapsed() < patient(Duration::from_secs(10)), "{:?}", begin.elapsed());
}

#[test]
fn a_container_of_a_stopped_supervisor_can_be_destroyed() {
    let agent = Agent::new();
    let container = agent.task("(setsid sleep 1000 &); echo $$ > pid; exec sleep 1000").launch();
    let pid = container.pid("pid");
    stop_supervisors(&agent);
    destroy_within_ten_seconds(&container);
    assert!(!Process::is_running(pid));
    container.spawn_wait().finish_within(Duration::from_secs(10)).termination();
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_wait_under_way_answers_when_a_stopped_supervisors_container_is_destroyed() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let mut wait = container.spawn_wait();
    wait.assert_running_for(Duration::from_millis(200));
    stop_supervisors(&agent);
    wait.assert_running_for(Duration::from_millis(200));
    destroy_within_ten_seconds(&container);
    wait.finish_within(Duration::from_secs(10)).termination();
    agent.assert_nothing_left();
}

#[test]
fn a_supervisor_that_is_stopped_for_a_while_goes_on() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let mut wait = container.spawn_wait();
    let stopped = agent.supervisors();
    stop_supervisors(&agent);
    assert_eq!(agent.containers(), [container.id.as_str()]);
    wait.assert_running_for(Duration::from_millis(300));
    stopped.iter().for_each(|process| signal(process.pid, Signal::SIGCONT));
    container.go();
    wait.finish().termination().assert_status(7 << 8);
    container.note_end();
    agent.assert_nothing_left();
}

#[test]
fn a_fetcher_that_does_not_die_fails_the_launch_in_time() {
    need_root!();
    if !PathBuf::from(FREEZER).join("cgroup.procs").exists() {
        skip!("there is no v1 freezer hierarchy at /sys/fs/cgroup/freezer");
    }
    let agent = Agent::builder().flag("--fetch_timeout=3secs").flag("--cgroups_destroy_timeout=1secs").build();
    agent.fetcher("echo $$ > fetcher; exec sleep 1000");
    let mark = agent.path("mark");
    let task = agent.task(&format!("touch {}", mark.display())).uri(uri("hdfs://127.0.0.1:9/slow.bin"));
    let begin = Instant::now();
    let (container, launch) = task.spawn();
    let pid = container.pid("fetcher");
    let freezer = Freezer::freeze(pid);
    assert!(begin.elapsed() < patient(Duration::from_secs(3)), "frozen too late for this test: {:?}", begin.elapsed());

    let output = launch.finish_within(Duration::from_secs(12));
    assert!(output.duration < patient(Duration::from_secs(12)), "{:?}", output.duration);
    assert_says(&output.refused(), &[&format!("pid {pid}")]);
    assert!(!mark.exists(), "the command ran without its file");

    freezer.state("THAWED");
    agent.assert_nothing_left();
    assert!(agent.containers().is_empty());
}
