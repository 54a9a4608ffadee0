//! Crash sweep: the process that passes a durable step is killed just before or just after it, and then the agent does what
//! it does next. Every verb must end, recover and containers with exit 0, a status that the kernel knows must come, and
//! nothing may be left. Needs the feature `crash-points`; see src/step.rs.
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, cgroups, eventually, need_root};

/// Every verb ends within this, whatever was killed. Pid 1 may take two seconds to reap.
const BOUND: Duration = Duration::from_secs(20);

fn points_in(file: &std::path::Path) -> BTreeSet<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// All points that a container's life passes, from launch to the answer or to destroy.
fn points(destroyed: bool) -> BTreeSet<String> {
    let agent = Agent::new();
    let list = agent.path("steps");
    let container = agent.task("sleep 0.2; exit 3").agent_env("ECP_STEPS", list.to_str().unwrap()).launch();
    if destroyed {
        container.destroy();
    }
    container.wait();
    agent.assert_nothing_left();
    points_in(&list)
}

#[test]
fn the_sweep_knows_the_steps() {
    let points = points(false);
    for step in ["create", "clone", "checkpoint-2-started", "release", "commit", "outcome", "termination"] {
        for side in ["before", "after"] {
            assert!(points.contains(&format!("{step}:{side}")), "{step}:{side} in {points:?}");
        }
    }
    if nix::unistd::Uid::effective().is_root() {
        for step in ["make cgroup", "kill", "remove cgroup"] {
            assert!(points.contains(&format!("{step}:after")), "{step} in {points:?}");
        }
    }
}

#[test]
fn a_crash_at_any_step_loses_no_status_and_leaves_nothing() {
    for point in points(false) {
        let agent = Agent::new();
        let task = agent.task(&format!("{AWAIT_GO}; exit 3")).agent_env("ECP_CRASH", &point);
        let (container, call) = task.spawn();
        let launched = call.finish_within(BOUND).status.success();
        if launched {
            container.remember();
        } else if point != "commit:after" {
            // Whichever of the two was killed, the other sees to it, without a recover.
            eventually(&format!("{point}: the failed launch is undone"), || agent.live().is_empty());
        }
        let mut recovered = agent.restart_with_memory();
        if launched && recovered.listed.contains(&container.id) {
            let wait = recovered.wait(&container);
            // Not earlier: of an end that nobody was there to see, not every kernel's pid 1 leaves the status for long.
            container.go();
            let end = wait.finish_within(BOUND).termination();
            container.note_end();
            // Lost only between the reaping and the note of it. Else the supervisor has noted it, or whoever took over was
            // there before the end, and this kernel keeps the status.
            if point != "outcome:before" || end.status.is_some() {
                assert_eq!(end.status, Some(768), "{point}: {end:?}");
            }
        } else if launched {
            panic!("{point}: a launched container is not listed");
        }
        agent.assert_nothing_left();
        assert!(agent.containers().iter().all(|id| *id != container.id), "{point}: listed after all is done");
    }
}

/// With an init the status is known whoever is killed when: also between the reaping and the note of it, and on every kernel.
#[test]
fn a_crash_at_any_step_with_an_init_loses_no_status_at_all() {
    need_root!();
    for point in points(false) {
        let agent = Agent::builder().flag("--isolation=namespaces/pid").flag("--pid1=init").build();
        let task = agent.task(&format!("{AWAIT_GO}; exit 3")).agent_env("ECP_CRASH", &point);
        let (container, call) = task.spawn();
        if call.finish_within(BOUND).status.success() {
            container.remember();
            let mut recovered = agent.restart_with_memory();
            assert_eq!(recovered.listed, [container.id.as_str()], "{point}");
            let wait = recovered.wait(&container);
            container.go();
            assert_eq!(wait.finish_within(BOUND).termination().status, Some(768), "{point}");
            container.note_end();
        } else {
            agent.restart_with_memory();
        }
        agent.assert_nothing_left();
    }
}

#[test]
fn a_crash_at_any_step_of_an_end_by_destroy_leaves_nothing() {
    for point in points(true) {
        let agent = Agent::new();
        let task = agent.task("sleep 1000").agent_env("ECP_CRASH", &point);
        let (container, call) = task.spawn();
        if call.finish_within(BOUND).status.success() {
            container.remember();
        }
        container.invoke("destroy").spawn().finish_within(BOUND).ok();
        container.invoke("wait").spawn().finish_within(BOUND).termination();
        agent.restart_without_memory();
        agent.assert_nothing_left();
        assert!(agent.containers().is_empty(), "{point}: a destroyed container is listed");
    }
}

/// In each of the hierarchies, and with cgroups of the task's own in them.
#[test]
fn a_crash_at_any_step_with_cgroups_leaves_none_of_them() {
    need_root!();
    let v1 = ["freezer", "pids"].into_iter().filter(|controller| cgroups::is_v1(controller)).count();
    let hierarchies = v1 + usize::from(cgroups::unified().is_some());
    let steps =
        ["make cgroup", "remove cgroup", "kill"].iter().flat_map(|s| [format!("{s}:before"), format!("{s}:after")]);
    for point in steps {
        for at in 1..=hierarchies {
            if point.starts_with("kill") && at > 1 {
                continue;
            }
            for recovered in [false, true] {
                let agent = Agent::builder().flag("--isolation=cgroups/pids").build();
                let nest = "while read -r _ _ _ _ mount _; do [ -e \"$mount$own/cgroup.procs\" ] && mkdir -p \"$mount$own/a/b\"; done < /proc/self/mountinfo";
                let script =
                    format!("own=/{}/$MESOS_CONTAINER_ID; {nest}; touch ready; sleep 1000", agent.cgroups_root);
                let task =
                    agent.task(&script).agent_env("ECP_CRASH", &point).agent_env("ECP_CRASH_AT", &at.to_string());
                let (container, call) = task.spawn();
                let launched = call.finish_within(BOUND).status.success();
                if launched {
                    container.remember();
                    eventually("it has made cgroups", || container.path("ready").exists());
                    assert!(cgroups::below_all(&agent.cgroups_root).iter().any(|path| path.ends_with("a/b")));
                } else {
                    assert!(point.starts_with("make"), "{point}, time {at}: the launch failed");
                }
                if recovered {
                    agent.restart_without_memory();
                } else {
                    container.invoke("destroy").spawn().finish_within(BOUND).ok();
                    container.invoke("wait").spawn().finish_within(BOUND).termination();
                    agent.restart_without_memory();
                }
                agent.assert_nothing_left();
                assert!(agent.containers().is_empty(), "{point}, time {at}: listed");
            }
        }
    }
}

#[test]
fn a_launch_killed_just_before_its_commit_is_undone_by_the_supervisor() {
    let agent = Agent::new();
    let (container, call) = agent.task("sleep 1000").agent_env("ECP_CRASH", "commit:before").spawn();
    assert!(!call.finish_within(BOUND).status.success());
    agent.assert_nothing_left();
    assert!(agent.containers().is_empty(), "{} was never launched", container.id);
}
