//! Crash sweep: the process that passes a durable step is killed just before or just after it, and then the agent does what
//! it does next. Every verb must end, recover and containers with exit 0, a status that the kernel knows must come, and
//! nothing may be left: see [`sweep`], and [`lives`] for what happens in each. Needs the feature `crash-points`; see src/step.rs.
mod arms;
mod kit;
mod lives;
#[cfg(feature = "weakened")]
mod planted;
mod points;
mod sweep;

use lives::BOUND;

use crate::agent::messages::scalar;
use crate::agent::{Agent, cgroups, eventually, need_root};

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

/// The agent has asked for the end, whoever of ours did not live to pass it on: it must not come at some later time, as a surprise.
#[test]
fn a_destroy_that_was_killed_is_carried_out_when_the_agent_comes_back() {
    let agent = Agent::new();
    let container = agent.task("sleep 1000").launch();
    let call = container.invoke("destroy").env("ECP_CRASH", "request destroy:after").spawn();
    assert!(!call.finish_within(BOUND).status.success());
    agent.invoke("recover").run().ok();
    eventually("it ends", || agent.live().is_empty());
    container.complete();
    agent.assert_nothing_left();
}

/// The limit was noted before the killing, the status after it.
#[test]
fn a_limit_and_the_status_of_its_kill_survive_who_noted_them() {
    for point in ["cleanup posix/disk:before", "termination:before"] {
        let agent = Agent::builder()
            .flag("--isolation=posix/cpu,posix/mem,posix/disk")
            .flag("--container_disk_watch_interval=250ms")
            .flag("--enforce_container_disk_quota")
            .build();
        let mark = agent.path("mark");
        let resources = [("cpus", 0.5), ("mem", 64.0), ("disk", 2.0)].map(|(name, value)| scalar(name, value));
        let task = agent.task("head -c 4M /dev/zero > big; sleep 1000").resources(resources.to_vec());
        let task = task.agent_env("ECP_CRASH", point).agent_env("ECP_CRASH_ONCE", mark.to_str().unwrap());
        let container = task.launch();
        // Nobody waits, so that the kernel keeps the status for nobody.
        eventually(&format!("somebody dies at {point}"), || mark.exists());
        let end = container.complete();
        end.assert_limit(20);
        assert_eq!(end.status, Some(9), "{point}: {end:?}");
        agent.assert_nothing_left();
    }
}
