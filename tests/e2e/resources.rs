//! What a container may use, as `usage` reports it.

use std::fs;

use crate::agent::fixture::Fixture;
use crate::agent::{Agent, need_root};

#[test]
fn resources_are_not_added_twice() {
    need_root!();
    for fixture in Fixture::all("command") {
        let agent = fixture.agent().build();
        agent.helper("mesos-executor", "sleep 1000");
        let container = fixture.task(&agent).launch();
        let assert_limits = |cpus: f64, megabytes: u64| {
            let usage = container.usage();
            assert!((usage.cpus_limit().unwrap() - cpus).abs() < 1e-9, "not {cpus}: {usage:?}");
            assert_eq!(usage.mem_limit_bytes(), Some(megabytes << 20));
        };
        assert_limits(0.6, 96);
        fixture.call(&agent, &container, "update", 0).unwrap().run().ok();
        assert_limits(0.6, 96);
        // After the end of the task, the executor alone.
        fixture.call(&agent, &container, "update", 1).unwrap().run().ok();
        assert_limits(0.1, 32);
        container.destroy();
    }
}

#[test]
fn an_update_without_resources_keeps_the_old_ones() {
    let agent = Agent::new();
    let container = agent.task("sleep 1000").launch();
    container.update(&[]);
    container.update(&[("mem", 64.0)]);
    let usage = container.usage();
    assert_eq!((usage.cpus_limit(), usage.mem_limit_bytes()), (Some(0.6), Some(64 << 20)));
    container.destroy();
}

#[test]
fn a_container_may_have_no_resources_at_all() {
    let agent = Agent::new();
    let container = agent.task("sleep 1000").resources(Vec::new()).launch();
    container.update(&[]);
    container.usage();
    container.destroy();
}

#[test]
fn no_cgroup_is_joined_unless_asked_for() {
    let agent = Agent::new();
    let container = agent.task("cat /proc/self/cgroup").launch();
    container.complete().assert_status(0);
    // The launcher's own are those of the freezer and of v2.
    let others = |text: String| -> Vec<String> {
        text.lines().filter(|l| !l.contains(":freezer:") && !l.starts_with("0::")).map(str::to_owned).collect()
    };
    assert_eq!(others(container.file("stdout")), others(fs::read_to_string("/proc/self/cgroup").unwrap()));
}
