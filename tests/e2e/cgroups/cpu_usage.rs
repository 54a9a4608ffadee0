//! `cgroups/cpu`: what `usage` says.

use std::fs;

use nix::sys::signal::Signal;

use crate::agent::messages::scalar;
use crate::agent::processes::signal;
use crate::agent::{Agent, Container, cgroups, eventually, need_root};

const FLAG: &str = "--isolation=cgroups/cpu";
const COUNT: &str = "--cgroups_cpu_enable_pids_and_tids_count";

/// Processes and threads.
fn counts(container: &Container) -> (Option<u64>, Option<u64>) {
    let message = container.usage().message;
    (message.get_varint(30), message.get_varint(31))
}

#[test]
fn cpu_time_grows_and_is_the_kernels() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let container = agent.task("while [ ! -e go ]; do :; done; exec sleep 1000").launch();
    let mut last = 0.0;
    eventually("the container has used a quarter of a second", || {
        let now = container.usage().cpu_seconds().unwrap();
        assert!(now >= last, "{now} after {last}");
        last = now;
        now >= 0.25
    });
    container.go();
    eventually("it sleeps", || container.processes().iter().any(|p| p.name == "sleep"));
    let kernels = match cgroups::is_v1("cpuacct") {
        true => container.control("cpuacct", "cpuacct.usage").parse::<f64>().unwrap() / 1e9,
        false => {
            let stat = container.control("cpuacct", "cpu.stat");
            stat.lines().next().unwrap().strip_prefix("usage_usec ").unwrap().parse::<f64>().unwrap() / 1e6
        }
    };
    let usage = container.usage();
    let ours = usage.cpu_seconds().unwrap();
    // Two numbers of 10 ms each in v1.
    assert!((ours - kernels).abs() < 0.1 * kernels + 0.04, "{ours} for {kernels}");
    assert_eq!(usage.cpus_limit(), Some(0.6));
    for field in [7, 8, 9, 30, 31] {
        assert!(usage.message.0.iter().all(|(number, _)| *number != field), "nobody asked for {field}: {usage:?}");
    }
}

#[test]
fn throttling_is_told_where_there_is_a_quota() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let task = agent.task("while :; do :; done & while :; do :; done").resources(vec![scalar("cpus", 0.1)]);
    // The flag goes, the quota stays until the next update, and so do the figures.
    let container = task.flag("--cgroups_enable_cfs").launch();
    let (mut last, mut throttled) = ((0, 0, 0.0), false);
    for _ in 0..200 {
        let message = container.usage().message;
        let now = (message.get_varint(7).unwrap(), message.get_varint(8).unwrap(), message.get_double(9).unwrap());
        assert!(now.0 >= last.0 && now.1 >= last.1 && now.2 >= last.2, "{now:?} after {last:?}");
        assert!(now.1 <= now.0, "{now:?}");
        // At most a period on each CPU, and then some: these are seconds.
        let most = (now.0 + 1) as f64 * std::thread::available_parallelism().unwrap().get() as f64;
        assert!(now.2 <= most, "{now:?}");
        last = now;
        throttled = now.1 >= 3 && now.2 >= 0.1;
        if throttled {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(throttled, "{last:?}");
    container.update(&[]);
    assert_eq!(container.usage().message.get_varint(7), None);
}

#[test]
fn processes_and_threads_are_none_then_one_then_none() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).flag(COUNT).build();
    agent.about("usage", "not-yet").run().statistics().assert_bare();
    let container = agent.task("echo $$ > pid; exec sleep 1000").launch();
    assert_eq!(counts(&container), (Some(1), Some(1)));
    // Nobody notices the end: an empty cgroup is seen.
    let supervisors = agent.supervisors();
    supervisors.iter().for_each(|process| signal(process.pid, Signal::SIGSTOP));
    signal(container.pid("pid"), Signal::SIGKILL);
    eventually("the cgroup is empty", || container.control("cpu", "cgroup.procs").is_empty());
    let counted = counts(&container);
    supervisors.iter().for_each(|process| signal(process.pid, Signal::SIGCONT));
    assert_eq!(counted, (Some(0), Some(0)));
    container.complete().assert_status(9);
    container.usage().assert_bare();
    agent.assert_nothing_left();
}

#[test]
fn nested_cgroups_count() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).flag(COUNT).build();
    let container = agent.task("sleep 1000 & echo $! > pid; exec sleep 1000").launch();
    let pid = container.pid("pid");
    assert_eq!(counts(&container), (Some(2), Some(2)));
    let nested = container.cgroup("cpu").join("a/b");
    fs::create_dir_all(&nested).unwrap();
    fs::write(nested.join("cgroup.procs"), pid.to_string()).unwrap();
    assert!(!container.control("cpu", "cgroup.procs").lines().any(|line| line == pid.to_string()));
    assert_eq!(counts(&container), (Some(2), Some(2)));
    container.destroy();
    agent.assert_nothing_left();
}
