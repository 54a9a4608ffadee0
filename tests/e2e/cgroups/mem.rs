//! cgroups/mem: limits and figures. The out-of-memory end is in the modules below.

mod foreign;
mod oom;

use std::fs;
use std::path::{Path, PathBuf};

use crate::agent::fixture::Fixture;
use crate::agent::messages::{scalar, update};
use crate::agent::{Agent, Builder, Container, Output, Task, cgroups, eventually, need_root, skip};
use crate::refusals::assert_says;

const MB: u64 = 1 << 20;

fn with_mem() -> Builder {
    Agent::builder().flag("--isolation=cgroups/mem")
}

/// A task of so many megabytes.
fn task<'a>(agent: &'a Agent, megabytes: f64, script: &str) -> Task<'a> {
    agent.task(script).resources(vec![scalar("cpus", 0.1), scalar("mem", megabytes)])
}

fn sleeper(agent: &Agent, megabytes: f64) -> Container<'_> {
    task(agent, megabytes, "sleep 1000").launch()
}

/// A control file by its name in v1 or in v2.
#[track_caller]
fn control(container: &Container, v1: &str, v2: &str) -> String {
    container.control("memory", if cgroups::is_v1("memory") { v1 } else { v2 })
}

/// The limits in bytes: soft and hard.
#[track_caller]
fn limits(container: &Container) -> (u64, u64) {
    let soft = control(container, "memory.soft_limit_in_bytes", "memory.low");
    let hard = control(container, "memory.limit_in_bytes", "memory.max");
    (soft.parse().unwrap(), hard.parse().unwrap())
}

/// What limits swap: v1's sum with memory, v2's own.
#[track_caller]
fn swap(container: &Container) -> String {
    control(container, "memory.memsw.limit_in_bytes", "memory.swap.max")
}

/// Limits memory by another hand than the program's.
fn limit(cgroup: &Path, bytes: u64) {
    let file = if cgroups::is_v1("memory") { "memory.limit_in_bytes" } else { "memory.max" };
    fs::write(cgroup.join(file), bytes.to_string()).unwrap();
}

/// Moves all processes of the container to a new cgroup below its own.
fn nest(container: &Container) -> PathBuf {
    let below = container.cgroup("memory").join("below");
    fs::create_dir(&below).unwrap();
    for pid in container.control("memory", "cgroup.procs").lines() {
        // It may have ended meanwhile.
        let _ = fs::write(below.join("cgroup.procs"), pid);
    }
    eventually("all are moved", || {
        let left = container.control("memory", "cgroup.procs");
        left.lines().for_each(|pid| drop(fs::write(below.join("cgroup.procs"), pid)));
        left.is_empty()
    });
    if !cgroups::is_v1("memory") {
        fs::write(container.cgroup("memory").join("cgroup.subtree_control"), "+memory").unwrap();
    }
    below
}

fn counts_swap() -> bool {
    let root = cgroups::mount_point("memory");
    !cgroups::is_v1("memory") || root.join("memory.memsw.limit_in_bytes").exists()
}

#[test]
fn a_task_of_100_mb_has_the_known_limit() {
    need_root!();
    let agent = with_mem().build();
    // Beside the task's its executor's, and both count.
    let task = agent.task("sleep 1000").resources(vec![scalar("mem", 100.0), scalar("mem", 32.0)]);
    let container = task.launch();
    assert_eq!(limits(&container), (138_412_032, 138_412_032));
    let first = container.first_pid();
    let own = format!("/{}/{}", agent.cgroups_root, container.id);
    assert_eq!(cgroups::of_process(first, if cgroups::is_v1("memory") { "memory" } else { "" }), own);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn the_agents_own_calls_raise_and_never_lower_the_hard_limit() {
    need_root!();
    for fixture in Fixture::all("command") {
        let agent = with_mem().build();
        agent.helper("mesos-executor", "sleep 1000");
        let container = fixture.task(&agent).launch();
        assert_eq!(limits(&container), (96 * MB, 96 * MB));
        // After the end of the task, the executor alone.
        fixture.call(&agent, &container, "update", 1).unwrap().run().ok();
        assert_eq!(limits(&container), (32 * MB, 96 * MB));
        container.destroy();
    }
}

#[test]
fn no_container_gets_less_than_32_mb() {
    need_root!();
    let agent = with_mem().build();
    let container = sleeper(&agent, 5.0);
    assert_eq!(limits(&container), (32 * MB, 32 * MB));
    container.update(&[("mem", 64.0)]);
    assert_eq!(limits(&container), (64 * MB, 64 * MB));
    container.update(&[("mem", 1.0)]);
    assert_eq!(limits(&container), (32 * MB, 64 * MB));
    // No word of memory: all stays as it is.
    container.update(&[("cpus", 1.0)]);
    assert_eq!(limits(&container), (32 * MB, 64 * MB));
    container.destroy();
}

#[test]
fn without_memory_among_the_resources_nothing_starts() {
    need_root!();
    let agent = with_mem().build();
    for resources in [vec![], vec![scalar("cpus", 1.0)], vec![scalar("mem", -1.0)]] {
        let reason = agent.task("sleep 1000").resources(resources).refused();
        assert_says(&reason, &["cgroups/mem", "mem"]);
    }
}

#[test]
fn swap_is_limited_on_request_and_raised_with_memory() {
    need_root!();
    if !counts_swap() {
        skip!("this kernel does not count swap");
    }
    let limit = |megabytes: u64| if cgroups::is_v1("memory") { (megabytes * MB).to_string() } else { "0".into() };
    let agent = with_mem().build();
    // The flag of the launch is what counts, whatever the later calls'.
    let limited = task(&agent, 64.0, "sleep 1000").flag("--cgroups_limit_swap").launch();
    assert_eq!((limits(&limited).1, swap(&limited)), (64 * MB, limit(64)));
    limited.update(&[("mem", 128.0)]);
    assert_eq!((limits(&limited), swap(&limited)), ((128 * MB, 128 * MB), limit(128)));
    limited.update(&[("mem", 32.0)]);
    assert_eq!((limits(&limited), swap(&limited)), ((32 * MB, 128 * MB), limit(128)));
    let free = sleeper(&agent, 64.0);
    let before = swap(&free);
    assert!(before != limit(64), "{before}");
    let record = update(&free.id, &[scalar("mem", 96.0)]).record();
    free.invoke("update").flag("--cgroups_limit_swap").record(record).run().ok();
    assert_eq!((limits(&free).1, swap(&free)), (96 * MB, before));
    limited.destroy();
    free.destroy();
}

#[test]
fn a_storm_of_updates_ends_in_the_last_ones_state() {
    need_root!();
    let agent = with_mem().build();
    let container = sleeper(&agent, 32.0);
    for last in [40u64, 200, 32] {
        let record = |mb: u64| update(&container.id, &[scalar("mem", mb as f64)]).record();
        let storm: Vec<_> = (1..=12).map(|n| container.invoke("update").record(record(40 + n * 10)).spawn()).collect();
        storm.into_iter().for_each(|call| drop::<Output>(call.finish().ok()));
        // Whichever of them came last: all agree on it.
        let (soft, hard) = limits(&container);
        assert_eq!(container.usage().mem_limit_bytes(), Some(soft));
        assert!(hard >= 160 * MB && soft <= hard, "{soft} {hard}");
        container.invoke("update").record(record(last)).run().ok();
        assert_eq!(limits(&container), (last * MB, hard.max(last * MB)));
    }
    container.destroy();
}

#[test]
fn usage_shows_what_the_kernel_counts() {
    need_root!();
    let agent = with_mem().build();
    // Some twelve megabytes of its own, and files read and written beside.
    let script =
        "x=$(head -c 12000000 /dev/zero | tr '\\0' a); head -c 8M /dev/zero > file; echo > ready; read y < fifo";
    let task = task(&agent, 64.0, script);
    nix::unistd::mkfifo(&task.sandbox().join("fifo"), nix::sys::stat::Mode::from_bits_retain(0o600)).unwrap();
    let container = task.launch();
    container.line("ready");
    let stat = container.control("memory", "memory.stat");
    let of_stat = |v1: &str, v2: &str| {
        let key = if cgroups::is_v1("memory") { v1 } else { v2 };
        stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse::<u64>().ok()).unwrap()
    };
    let usage = container.usage();
    let field = |number| usage.message.get_varint(number);
    // The kernel sums up what its processors have counted every now and then.
    let near = |number: u32, expected: u64| {
        let is = field(number).unwrap_or_else(|| panic!("field {number} is missing in {usage:?}"));
        assert!(is.abs_diff(expected) <= 2 * MB, "field {number} is {is} and not {expected}");
    };
    near(36, control(&container, "memory.usage_in_bytes", "memory.current").parse().unwrap());
    let (cache, anon) = (of_stat("total_cache", "file"), of_stat("total_rss", "anon"));
    assert!(cache >= 7 * MB && anon >= 11 * MB, "{stat}");
    [10, 39].into_iter().for_each(|number| near(number, cache));
    [5, 11].into_iter().for_each(|number| near(number, anon));
    near(12, of_stat("total_mapped_file", "file_mapped"));
    near(41, of_stat("total_unevictable", "unevictable"));
    assert_eq!(field(38), Some(64 * MB));
    assert_eq!(usage.mem_limit_bytes(), Some(64 * MB));
    if counts_swap() {
        assert!(field(37) >= field(36) && field(40).is_some(), "{usage:?}");
    }
    let levels = [32, 33, 34].map(|number| field(number).is_some());
    assert_eq!(levels, [cgroups::is_v1("memory"); 3], "v2 has no levels of pressure");
    container.destroy();
}
