//! The course of a container: waits, ends, destruction, and what it inherits.

use std::time::{Duration, Instant};

use crate::agent::container::AWAIT_GO;
use crate::agent::processes::Process;
use crate::agent::{Agent, eventually, patient};

#[test]
fn a_wait_may_come_early_and_late_and_again() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    let early = container.spawn_wait();
    container.go();
    early.finish().termination().assert_status(3 << 8);
    container.wait().assert_status(3 << 8);
    container.wait().assert_status(3 << 8);
    container.note_end();
    agent.assert_nothing_left();
}

#[test]
fn eight_waits_at_once_get_the_same_answer() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    let mut waits: Vec<_> = (0..8).map(|_| container.spawn_wait()).collect();
    waits.iter_mut().for_each(|wait| wait.assert_running_for(Duration::from_millis(20)));
    container.go();
    waits.into_iter().for_each(|wait| wait.finish().termination().assert_status(3 << 8));
    agent.assert_nothing_left();
}

#[test]
fn an_end_is_noticed_at_once() {
    let agent = Agent::new();
    let takes = || {
        let container = agent.task(AWAIT_GO).launch();
        let wait = container.spawn_wait();
        container.usage();
        let end = Instant::now();
        container.go();
        wait.finish().termination().assert_status(0);
        end.elapsed()
    };
    // The machine may stall for a moment, but who looks every second is not in time twice.
    let times = [takes(), takes(), takes()];
    let in_time = times.iter().filter(|time| **time < patient(Duration::from_millis(500))).count();
    assert!(in_time >= 2, "{times:?}");
}

#[test]
fn a_killed_wait_takes_nothing_with_it() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    for _ in 0..3 {
        let mut wait = container.spawn_wait();
        wait.assert_running_for(Duration::from_millis(100));
        wait.kill();
    }
    assert_eq!(agent.containers(), [container.id.as_str()]);
    let wait = container.spawn_wait();
    container.go();
    wait.finish().termination().assert_status(3 << 8);
}

#[test]
fn a_wait_whose_agent_has_died_ends_without_an_answer() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    let mut wait = container.spawn_wait();
    wait.assert_running_for(Duration::from_millis(200));
    assert_eq!(wait.orphan().exit_code(Duration::from_secs(10)), Some(1));
    container.go();
    container.complete().assert_status(3 << 8);
}

#[test]
fn unknown_containers_are_answered_at_once() {
    let agent = Agent::new();
    agent.about("wait", "unknown").run().termination().assert_unknown();
    agent.about("destroy", "unknown").run().ok();
    agent.about("update", "unknown").run().ok();
    agent.about("usage", "unknown").run().statistics().assert_bare();
    agent.invoke("recover").run().ok();
    let containers = agent.invoke("containers").run().ok();
    assert_eq!(containers.stdout, [0; 4], "an empty record");
}

#[test]
fn an_ended_container_can_be_destroyed_and_updated() {
    let agent = Agent::new();
    let container = agent.task("exit 3").launch();
    container.wait().assert_status(3 << 8);
    container.update(&[("cpus", 1.0)]);
    container.destroy();
    container.destroy();
    assert!(agent.containers().is_empty());
}

#[test]
fn usage_has_figures_while_a_container_runs() {
    let agent = Agent::new();
    let container = agent.task("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; sleep 1000").launch();
    container.line("stdout");
    let usage = container.usage();
    assert!(usage.cpu_seconds().unwrap() > 0.0, "{usage:?}");
    assert!((1 << 12..1 << 30).contains(&usage.mem_rss_bytes().unwrap()), "{usage:?}");
    let later = container.usage();
    assert!(later.cpu_seconds() >= usage.cpu_seconds() && later.timestamp >= usage.timestamp);
    container.destroy();
}

#[test]
fn updates_and_usages_may_run_all_at_once() {
    let agent = Agent::new();
    let container = agent.task("sleep 1000").launch();
    std::thread::scope(|scope| {
        for n in 1..=8 {
            let container = &container;
            scope.spawn(move || container.update(&[("cpus", f64::from(n)), ("mem", 32.0 * f64::from(n))]));
            scope.spawn(move || container.usage());
        }
    });
    let usage = container.usage();
    let cpus = usage.cpus_limit().unwrap();
    assert_eq!(usage.mem_limit_bytes(), Some((cpus.round() as u64) << 25), "two updates were mixed: {usage:?}");
    container.destroy();
}

#[test]
fn destroy_kills_whatever_a_task_has_made() {
    let agent = Agent::new();
    // Two forks, a session of its own, and then: deaf to SIGTERM; stopped; without its environment.
    let script = "
        (setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > deaf; while :; do sleep 1; done' &)
        (setsid sh -c 'echo $$ > stopped; kill -STOP $$; sleep 1000' &)
        (setsid env -i /bin/sh -c 'echo $$ > bare; cd /; exec /bin/sleep 1000' &)
        trap '' TERM
        while :; do sleep 1; done";
    let container = agent.task(script).launch();
    let pids = ["deaf", "stopped", "bare"].map(|name| container.pid(name));
    eventually("the task has stopped itself", || Process::find(pids[1]).is_some_and(|process| process.state == 'T'));
    let wait = container.spawn_wait();
    container.destroy();
    for pid in pids {
        assert!(!Process::is_running(pid), "destroy has returned, but {:?} runs", Process::find(pid));
    }
    wait.finish().termination().assert_status(9);
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn destroy_and_wait_at_the_same_moment_both_end() {
    let agent = Agent::new();
    for _ in 0..5 {
        let container = agent.task("sleep 1000").launch();
        let wait = container.spawn_wait();
        let destroys: Vec<_> = (0..3).map(|_| container.invoke("destroy").spawn()).collect();
        for destroy in destroys {
            destroy.finish().ok();
        }
        wait.finish().termination().assert_status(9);
    }
    agent.assert_nothing_left();
}
