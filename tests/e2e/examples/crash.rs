//! The program is killed just before or after each call of its isolator, and between the steps of one. Whatever it had
//! done, nobody keeps a CPU for ever.

use std::time::Duration;

use crate::agent::messages::{scalar, update};
use crate::agent::{Agent, eventually, need_root};
use crate::examples::pinned_cpus::{agent, assert_has, pool, taken, task};

const BOUND: Duration = Duration::from_secs(20);

const ISOLATORS: [&str; 3] = ["filesystem/posix", "posix/cpu", "acme/pinned-cpus"];
const FACTS: &str = "facts acme/pinned-cpus";

/// A call of each of the isolators.
fn of_each(call: &str) -> Vec<String> {
    ISOLATORS.iter().map(|isolator| format!("{call} {isolator}")).collect()
}

fn of_life() -> Vec<String> {
    let own = ["take a CPU", "free a CPU"].map(str::to_owned);
    ["prepare", "isolate", "cleanup"].into_iter().flat_map(of_each).chain(own).collect()
}

fn points(steps: &[String]) -> Vec<String> {
    steps.iter().flat_map(|step| ["before", "after"].map(|side| format!("{step}:{side}"))).collect()
}

#[track_caller]
fn assert_free(agent: &Agent, what: &str) {
    agent.assert_nothing_left();
    assert!(taken(agent).is_empty(), "{what}: {:?}", taken(agent));
    assert!(agent.containers().is_empty(), "{what}: a container is listed");
}

/// Says which points were really passed by a launch and its end.
#[test]
fn the_sweep_knows_the_steps() {
    let agent = agent();
    pool(&agent, 1);
    let list = agent.path("steps");
    let container = task(&agent, 1.0).agent_env("ECP_STEPS", list.to_str().unwrap()).launch();
    container.destroy();
    let passed = std::fs::read_to_string(list).unwrap();
    for point in points(&of_life()) {
        let found = passed.lines().filter(|line| *line == point).count();
        assert_eq!(found, 1, "{point} in {passed}");
    }
}

#[test]
fn killed_at_any_step_of_its_life_it_leaves_no_cpu_taken() {
    for point in points(&of_life()) {
        for destroyed in [false, true] {
            let what = format!("{point}, destroyed: {destroyed}");
            let agent = agent();
            pool(&agent, 1);
            let task = task(&agent, 1.0).agent_env("ECP_CRASH", &point);
            let (container, call) = task.spawn();
            let launched = call.finish_within(BOUND).status.success();
            assert_eq!(launched, point.starts_with("cleanup") || point.starts_with("free"), "{what}");
            if launched {
                container.remember();
                if destroyed {
                    container.invoke("destroy").spawn().finish_within(BOUND).ok();
                } else {
                    container.go();
                }
                container.invoke("wait").spawn().finish_within(BOUND).termination();
                container.note_end();
            } else {
                eventually(&format!("{what}: the failed launch is undone"), || agent.live().is_empty());
                assert!(taken(&agent).is_empty(), "{what}");
            }
            agent.restart_with_memory();
            assert_free(&agent, &what);
            // The next one can have it.
            let next = crate::examples::pinned_cpus::task(&agent, 1.0).launch();
            next.destroy();
            next.wait();
            assert_free(&agent, &what);
        }
    }
}

/// The call of an update is killed, and then the supervisor: who takes over sees to it that the container has what it is
/// to have now.
#[test]
fn killed_in_an_update_it_has_what_it_is_to_have_after_a_take_over() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        crate::agent::skip!("needs two CPUs");
    }
    for (from, to, step) in [(1.0, 2.0, "take a CPU"), (2.0, 1.0, "free a CPU")] {
        for point in points(&[of_each("update"), vec![step.to_owned(), FACTS.to_owned()]].concat()) {
            let what = format!("{point}, from {from} to {to}");
            let agent = agent();
            let cpus = pool(&agent, 2);
            let container = task(&agent, from).launch();
            container.line("cpus");
            let call = container.invoke("update").record(update(&container.id, &[scalar("cpus", to)]).record());
            let call = call.env("ECP_CRASH", &point);
            assert!(!call.spawn().finish_within(BOUND).status.success(), "{what}: it was not killed");
            agent.kill_supervisors();
            let mut recovered = agent.restart_with_memory();
            let wait = recovered.wait(&container);
            eventually(&format!("{what}: it has {to} CPUs"), || taken(&agent).len() == to as usize);
            eventually(&format!("{what}: it shows {to}"), || container.usage().cpus_limit() == Some(to));
            assert_has(&agent, &container, &cpus[..to as usize]);
            container.go();
            wait.finish_within(BOUND).termination();
            container.note_end();
            assert_free(&agent, &what);
        }
    }
}

/// Killed again while it recovers.
#[test]
fn killed_while_it_recovers_it_recovers_the_next_time() {
    need_root!();
    for point in points(&["take a CPU", FACTS].map(str::to_owned)) {
        let what = point.clone();
        let agent = agent();
        let cpus = pool(&agent, 1);
        let container = task(&agent, 1.0).launch();
        container.line("cpus");
        agent.kill_supervisors();
        let link = super::pinned_cpus::slots(&agent).join(cpus[0].to_string());
        std::fs::remove_file(&link).unwrap();
        let crash = agent.invoke("recover").env("ECP_CRASH", &point);
        let _ = crash.spawn().finish_within(BOUND);
        eventually(&format!("{what}: who took over is dead"), || agent.supervisors().is_empty());
        let mut recovered = agent.restart_with_memory();
        let wait = recovered.wait(&container);
        eventually(&format!("{what}: the CPU is taken again"), || link.is_symlink());
        assert_has(&agent, &container, &cpus);
        container.go();
        wait.finish_within(BOUND).termination();
        container.note_end();
        assert_free(&agent, &what);
    }
}
