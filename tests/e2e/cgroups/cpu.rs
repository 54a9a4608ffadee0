//! `cgroups/cpu`: shares and bandwidth.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::agent::fixture::{Fixture, documented};
use crate::agent::messages::{scalar, update};
use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, cgroups, need_root};
use crate::refusals::assert_says;

const FLAG: &str = "--isolation=cgroups/cpu";
const CFS: &str = "--cgroups_enable_cfs";

fn builder() -> Builder {
    Agent::builder().flag(FLAG)
}

fn revocable(cpus: f64) -> Message {
    scalar("cpus", cpus).message(9, &Message::new())
}

/// Fails the test unless the kernel has these shares (v1) or this weight (v2).
#[track_caller]
fn assert_share(container: &Container, shares: u64, weight: u64) {
    match cgroups::is_v1("cpu") {
        true => assert_eq!(container.control("cpu", "cpu.shares"), shares.to_string()),
        false => assert_eq!(container.control("cpu", "cpu.weight"), weight.to_string()),
    }
}

/// Fails the test unless the kernel has this quota, in microseconds for each 100 ms.
#[track_caller]
fn assert_quota(container: &Container, quota: Option<u64>) {
    if cgroups::is_v1("cpu") {
        let file = container.control("cpu", "cpu.cfs_quota_us");
        assert_eq!(file, quota.map_or("-1".to_owned(), |quota| quota.to_string()));
        assert_eq!(container.control("cpu", "cpu.cfs_period_us"), "100000");
    } else {
        let quota = quota.map_or("max".to_owned(), |quota| quota.to_string());
        assert_eq!(container.control("cpu", "cpu.max"), format!("{quota} 100000"));
    }
}

/// An update with a flag of its own, as after a restart of the agent with other flags.
#[track_caller]
fn update_with(container: &Container, cpus: f64, flag: &str) {
    let record = update(&container.id, &[scalar("cpus", cpus)]).record();
    container.invoke("update").record(record).flag(flag).run().ok();
}

#[test]
fn a_task_of_half_a_cpu_and_its_executor_get_614_shares() {
    need_root!();
    for fixture in Fixture::all("command") {
        let agent = builder().build();
        agent.helper("mesos-executor", "sleep 1000");
        let container = fixture.task(&agent).launch();
        assert_share(&container, 614, 60);
        assert_quota(&container, None);
        let first = container.first_pid();
        let controller = if cgroups::is_v1("cpu") { "cpu" } else { "" };
        assert_eq!(cgroups::of_process(first, controller), format!("/{}/{}", agent.cgroups_root, container.id));
        fixture.call(&agent, &container, "update", 0).unwrap().run().ok();
        assert_share(&container, 614, 60);
        // After the end of the task, the executor alone.
        fixture.call(&agent, &container, "update", 1).unwrap().run().ok();
        assert_share(&container, 102, 10);
        container.destroy();
        agent.assert_nothing_left();
    }
}

#[test]
fn the_documented_record_runs_in_a_cgroup() {
    need_root!();
    let agent = builder().flag(CFS).build();
    documented(&agent, "root").launch().complete().assert_status(256);
    agent.assert_nothing_left();
}

#[test]
fn shares_follow_updates_both_ways() {
    need_root!();
    let agent = builder().build();
    let container = agent.task("exec sleep 1000").resources(vec![scalar("cpus", 0.001)]).launch();
    assert_share(&container, 2, 1);
    for (cpus, shares, weight) in
        [(1.0, 1024, 100), (4.0, 4096, 400), (0.25, 256, 25), (0.0, 2, 1), (150.0, 153_600, 10_000)]
    {
        container.update(&[("cpus", cpus)]);
        let whole = |parts| agent.profile.whole(cpus, parts);
        assert_share(&container, whole(shares), whole(weight));
    }
    // What is not named stays.
    container.update(&[("mem", 64.0)]);
    assert_share(&container, 153_600, 10_000);
    assert_quota(&container, None);
    container.destroy();
}

#[test]
fn revocable_cpus_weigh_a_hundredth() {
    need_root!();
    let resources = || vec![scalar("cpus", 1.0), revocable(2.0)];
    let agent = builder().build();
    let container = agent.task("exec sleep 1000").resources(resources()).launch();
    assert_share(&container, 30, 3);
    container.update(&[("cpus", 3.0)]);
    assert_share(&container, 3072, 300);
    container.invoke("update").record(update(&container.id, &resources()).record()).run().ok();
    assert_share(&container, 30, 3);
    let record = update(&container.id, &resources()).record();
    container.invoke("update").record(record).flag("--revocable_cpu_low_priority=false").run().ok();
    assert_share(&container, 3072, 300);
    let container =
        agent.task("exec sleep 1000").resources(resources()).flag("--no-revocable_cpu_low_priority").launch();
    assert_share(&container, 3072, 300);
}

#[test]
fn quotas_are_set_and_follow_updates_both_ways() {
    need_root!();
    let agent = builder().flag(CFS).build();
    let container = agent.task("exec sleep 1000").resources(vec![scalar("cpus", 100.5)]).launch();
    assert_quota(&container, Some(10_050_000));
    for (cpus, quota) in [(0.29, 29_000), (0.001, 1_000), (0.0, 1_000), (2.0, 200_000), (0.6, 60_000)] {
        container.update(&[("cpus", cpus)]);
        assert_quota(&container, Some(quota));
    }
    container.destroy();
}

#[test]
fn the_flag_decides_at_the_next_update() {
    need_root!();
    let agent = builder().build();
    let with = agent.task("exec sleep 1000").flag(CFS).launch();
    let without = agent.task("exec sleep 1000").launch();
    assert_quota(&with, Some(60_000));
    assert_quota(&without, None);
    // A container that grows would be held below what it was given.
    update_with(&with, 2.0, "--no-cgroups_enable_cfs");
    assert_quota(&with, None);
    update_with(&without, 2.0, CFS);
    assert_quota(&without, Some(200_000));
    // Not ours, so left alone.
    let (file, value) = if cgroups::is_v1("cpu") { ("cpu.cfs_quota_us", "70000") } else { ("cpu.max", "70000 100000") };
    fs::write(with.cgroup("cpu").join(file), value).unwrap();
    update_with(&with, 1.0, "--no-cgroups_enable_cfs");
    assert_quota(&with, Some(70_000));
}

/// On v1 the kernel refuses a quota below one further down, and a failing update would be the container's end.
#[test]
fn a_quota_of_the_containers_own_does_not_keep_ours_up() {
    need_root!();
    let agent = builder().flag(CFS).build();
    let container = agent.task("sleep 1000").resources(vec![scalar("cpus", 1.0)]).launch();
    let file = if cgroups::is_v1("cpu") { "cpu.cfs_quota_us" } else { "cpu.max" };
    for (path, value) in [("a", "100000"), ("a/b", "90000"), ("c", "30000")] {
        let below = container.cgroup("cpu").join(path);
        fs::create_dir(&below).unwrap();
        // In v2 they do not have the controller, as the container has processes itself.
        fs::write(below.join(file), value).ok();
    }
    container.update(&[("cpus", 0.5)]);
    assert_quota(&container, Some(50_000));
    if cgroups::is_v1("cpu") {
        let below = |path: &str| fs::read_to_string(container.cgroup("cpu").join(path).join(file)).unwrap();
        assert_eq!(["a", "a/b", "c"].map(below), ["-1\n", "-1\n", "30000\n"]);
    }
    container.destroy();
    agent.assert_nothing_left();
}

/// CPU seconds that the kernel has counted for the container.
fn used(container: &Container) -> f64 {
    if cgroups::is_v1("cpuacct") {
        return container.control("cpuacct", "cpuacct.usage").parse::<f64>().unwrap() / 1e9;
    }
    let stat = container.control("cpuacct", "cpu.stat");
    stat.lines().next().unwrap().strip_prefix("usage_usec ").unwrap().parse::<f64>().unwrap() / 1e6
}

/// Lets the agent's containers go before everything else on a busy machine.
fn favour(agent: &Agent) {
    let (file, most) = if cgroups::is_v1("cpu") { ("cpu.shares", "262144") } else { ("cpu.weight", "10000") };
    let mut path = cgroups::mount_point("cpu");
    for level in Path::new(&agent.cgroups_root) {
        path.push(level);
        fs::write(path.join(file), most).unwrap();
    }
}

#[test]
fn half_a_cpu_holds_spinners_to_half_a_cpu() {
    need_root!();
    let agent = builder().flag(CFS).build();
    let spin = "while :; do :; done";
    let task = agent.task(&format!("{spin} & {spin} & {spin}")).resources(vec![scalar("cpus", 0.5)]);
    let container = task.launch();
    favour(&agent);
    let mut rates = Vec::new();
    for _ in 0..10 {
        let (begin, before) = (Instant::now(), used(&container));
        std::thread::sleep(Duration::from_secs(1));
        let rate = (used(&container) - before) / begin.elapsed().as_secs_f64();
        assert!(rate <= 0.6, "{rate} CPUs and not 0.5");
        rates.push(rate);
        // Less is the doing of others.
        if rate >= 0.4 {
            break;
        }
    }
    assert!(rates.last().is_some_and(|rate| *rate >= 0.4), "{rates:?} CPUs and not 0.5");
    let usage = container.usage();
    assert!(usage.message.get_varint(8).unwrap() > 0, "never throttled: {usage:?}");
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_storm_of_updates_ends_in_the_last_ones_state() {
    need_root!();
    // Somebody before it takes a different time for each: without an order among the updates they would overtake each other.
    let agent = Agent::builder().flag("--isolation=program/slow,cgroups/cpu").flag(CFS).build();
    agent.helper("slow", "[ $1 = update ] && sleep 0.0$(($$ % 8)); printf '\\0\\0\\0\\0'");
    let dir = format!("--isolator_dir={}", agent.libexec.display());
    let container = agent.task("exec sleep 1000").flag(&dir).launch();
    for round in 0..3u32 {
        let calls: Vec<_> = (1..=8u32)
            .map(|n| {
                let record = update(&container.id, &[scalar("cpus", f64::from(8 * round + n))]).record();
                container.invoke("update").record(record).spawn()
            })
            .collect();
        calls.into_iter().for_each(|call| drop(call.finish().ok()));
        let cpus = container.usage().cpus_limit().unwrap() as u64;
        assert!((8 * u64::from(round) + 1..=8 * u64::from(round) + 8).contains(&cpus), "{cpus}");
        assert_share(&container, 1024 * cpus, 100 * cpus);
        assert_quota(&container, Some(100_000 * cpus));
    }
    container.update(&[("cpus", 0.5)]);
    assert_share(&container, 512, 50);
    assert_quota(&container, Some(50_000));
}

#[test]
fn limits_outlive_the_supervisor() {
    need_root!();
    let agent = builder().flag(CFS).build();
    let container = agent.task("exec sleep 1000").launch();
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    assert_share(&container, 614, 60);
    assert_quota(&container, Some(60_000));
    container.update(&[("cpus", 0.25)]);
    assert_share(&container, agent.profile.whole(0.25, 256), agent.profile.whole(0.25, 25));
    assert_quota(&container, Some(25_000));
    container.destroy();
    let _ = recovered.wait(&container).finish().termination();
    agent.assert_nothing_left();
}

#[test]
fn without_cpus_the_launch_is_refused() {
    need_root!();
    let agent = builder().build();
    let reason = agent.task("true").resources(vec![scalar("mem", 64.0)]).refused();
    assert_says(&reason, &["cgroups/cpu", "no cpus resource"]);
}
