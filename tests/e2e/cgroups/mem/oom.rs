//! Containers that run into their own limit.

use std::fs;
use std::time::{Duration, Instant};

use super::{MB, limit, nest, task, with_mem};
use crate::agent::container::AWAIT_GO;
use crate::agent::messages::Termination;
use crate::agent::{Container, cgroups, eventually, need_root, patient, skip};
use crate::full_disk::Tiny;

/// Reads for ever and keeps it all: gets killed when there is no more memory, and nobody else does.
pub(super) const HOG: &str = "tail /dev/zero";

/// Fails the test unless this says that a limit of so many megabytes was met.
#[track_caller]
pub(super) fn assert_limited(end: &Termination, megabytes: u64) {
    end.assert_limit(8);
    let (head, statistics) = end.message.split_once("\n\nMEMORY STATISTICS: \n").unwrap_or_else(|| panic!("{end:?}"));
    let used = head.strip_prefix(&format!("Memory limit exceeded: Requested: {megabytes}MB Maximum Used: ")).unwrap();
    // The kernel lets who is dying go a few pages beyond.
    let unit = used.find(|c: char| !c.is_ascii_digit()).unwrap();
    let scale = ["B", "KB", "MB"].iter().position(|known| *known == &used[unit..]).unwrap();
    let used = used[..unit].parse::<u64>().unwrap() << (10 * scale);
    assert!(used.abs_diff(megabytes * MB) <= MB, "{head}");
    let known = if cgroups::is_v1("memory") { "total_rss " } else { "anon " };
    assert!(statistics.lines().any(|line| line.starts_with(known)), "{statistics}");
    assert!(statistics.ends_with('\n'));
}

/// Waits until the kernel has killed so many of the container's processes for want of memory.
#[track_caller]
pub(super) fn await_kills(container: &Container, kills: u64) {
    let file = if cgroups::is_v1("memory") { "memory.oom_control" } else { "memory.events" };
    eventually("the kernel has killed for want of memory", || {
        let text = container.control("memory", file);
        text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|n| n.parse::<u64>().unwrap() >= kills))
    });
}

#[test]
fn a_first_process_that_runs_out_of_memory_is_said_to_have() {
    need_root!();
    let agent = with_mem().build();
    let container = task(&agent, 32.0, &format!("exec {HOG}")).launch();
    let end = container.complete();
    assert_limited(&end, 32);
    assert_eq!(end.status, Some(9));
    agent.assert_nothing_left();
}

#[test]
fn a_container_ends_with_the_child_that_ran_out_of_memory() {
    need_root!();
    let agent = with_mem().build();
    let container = task(&agent, 48.0, &format!("sleep 1000 & {HOG}; echo on > on; sleep 1000")).launch();
    let begin = Instant::now();
    assert_limited(&container.complete(), 48);
    assert!(begin.elapsed() < patient(Duration::from_secs(10)));
    agent.assert_nothing_left();
}

#[test]
fn an_exit_right_after_the_kill_does_not_hide_it() {
    need_root!();
    let agent = with_mem().build();
    for round in 0..8 {
        let container = task(&agent, 32.0, &format!("{HOG}; exit {round}")).launch();
        assert_limited(&container.complete(), 32);
    }
    agent.assert_nothing_left();
}

#[test]
fn where_swap_is_limited_too_it_is_the_same() {
    need_root!();
    if !super::counts_swap() {
        skip!("this kernel does not count swap");
    }
    let agent = with_mem().flag("--cgroups_limit_swap").build();
    let container = task(&agent, 32.0, &format!("{HOG}; exit 0")).launch();
    assert_limited(&container.complete(), 32);
}

#[test]
fn a_victim_in_a_cgroup_below_died_of_our_limit_all_the_same() {
    need_root!();
    if !cgroups::is_v1("memory") {
        skip!(
            "v2's event is on the limit's own cgroup wherever the victim is, and its cgroups are not this easily divided"
        );
    }
    let agent = with_mem().build();
    for supervised in [true, false] {
        let container = task(&agent, 32.0, &format!("echo $$ > pid; {AWAIT_GO}; {HOG}; exit 0")).launch();
        let below = container.cgroup("memory").join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("cgroup.procs"), container.line("pid")).unwrap();
        if !supervised {
            agent.kill_supervisors();
        }
        container.go();
        if !supervised {
            eventually("the task has ended", || container.processes().is_empty());
        }
        assert_limited(&container.complete(), 32);
    }
    agent.assert_nothing_left();
}

#[test]
fn raised_limits_are_those_that_count() {
    need_root!();
    let agent = with_mem().build();
    let container = task(&agent, 32.0, &format!("{AWAIT_GO}; {HOG}; exit 0")).launch();
    container.update(&[("mem", 80.0)]);
    container.go();
    assert_limited(&container.complete(), 80);
}

#[test]
fn who_takes_over_sees_what_comes_after() {
    need_root!();
    let agent = with_mem().build();
    let container = task(&agent, 32.0, &format!("echo $$ > pid; {AWAIT_GO}; {HOG}; sleep 1000")).launch();
    container.pid("pid");
    agent.kill_supervisors();
    let mut wait = container.spawn_wait();
    eventually("somebody has taken over", || !agent.supervisors().is_empty());
    wait.assert_running_for(Duration::from_millis(300));
    container.go();
    assert_limited(&wait.finish().termination(), 32);
    agent.assert_nothing_left();
}

#[test]
fn who_takes_over_sees_what_was_before() {
    need_root!();
    let agent = with_mem().build();
    for after in ["sleep 1000", "exit 0"] {
        let container = task(&agent, 32.0, &format!("echo $$ > pid; {AWAIT_GO}; {HOG}; {after}")).launch();
        container.pid("pid");
        agent.kill_supervisors();
        container.go();
        await_kills(&container, 1);
        if after != "sleep 1000" {
            eventually("the task has ended", || container.processes().is_empty());
        }
        assert_limited(&container.complete(), 32);
    }
    agent.assert_nothing_left();
}

#[test]
fn processes_are_killed_and_not_put_to_sleep() {
    need_root!();
    if !cgroups::is_v1("memory") {
        skip!("v2 knows nothing else");
    }
    let agent = with_mem().build();
    // A cgroup inherits it from the one above.
    let above = cgroups::mount_point("memory").join(&agent.cgroups_root);
    fs::create_dir_all(&above).unwrap();
    fs::write(above.join("memory.oom_control"), "1").unwrap();
    let container = task(&agent, 32.0, &format!("{HOG}; exit 0")).launch();
    assert_limited(&container.complete(), 32);
    agent.assert_nothing_left();
}

/// Pressure comes first, and there is no room for its figures.
#[test]
fn a_full_disk_hides_no_limit() {
    need_root!();
    let agent = with_mem().build();
    let tiny = Tiny::mount(&agent.runtime_dir);
    let script = format!(
        "echo $$ > pid; while [ ! -e on ]; do sleep 0.02; done; {HOG}; echo > once; {AWAIT_GO}; {HOG}; sleep 1000"
    );
    let container = task(&agent, 64.0, &script).launch();
    container.pid("pid");
    let below = nest(&container);
    limit(&below, 16 * MB);
    tiny.fill();
    fs::write(container.path("on"), "").unwrap();
    container.line("once");
    std::thread::sleep(Duration::from_secs(1));
    limit(&below, 1024 * MB);
    container.go();
    eventually("the container has ended", || container.processes().is_empty());
    tiny.empty();
    assert_limited(&container.complete(), 64);
    agent.assert_nothing_left();
}

#[test]
fn pressure_is_counted_also_across_a_supervisors_death() {
    need_root!();
    if !cgroups::is_v1("memory") {
        skip!("v2 has no levels of pressure");
    }
    let agent = with_mem().build();
    // A cgroup below with a limit of its own: the pressure there is the container's, the end there is not.
    let script = format!(
        "echo $$ > pid; while [ ! -e on ]; do sleep 0.02; done; {HOG}; echo > once; {AWAIT_GO}; {HOG}; echo > twice; sleep 1000"
    );
    let container = task(&agent, 64.0, &script).launch();
    container.pid("pid");
    limit(&nest(&container), 16 * MB);
    fs::write(container.path("on"), "").unwrap();
    let levels = || [32, 33, 34].map(|number| container.usage().message.get_varint(number).unwrap());
    let falling = |levels: [u64; 3]| levels[0] >= levels[1] && levels[1] >= levels[2];
    container.line("once");
    eventually("all levels are counted", || levels().iter().all(|count| *count > 0));
    // The last of them may take a moment to be published.
    std::thread::sleep(Duration::from_secs(1));
    let first = levels();
    assert!(falling(first), "{first:?}");
    agent.kill_supervisors();
    assert_eq!(levels(), first);
    let wait = container.spawn_wait();
    eventually("somebody has taken over", || !agent.supervisors().is_empty());
    std::thread::sleep(Duration::from_millis(300));
    container.go();
    container.line("twice");
    eventually("counting goes on", || levels().iter().zip(first).all(|(now, before)| *now > before));
    assert!(falling(levels()));
    container.destroy();
    wait.finish().termination();
    agent.assert_nothing_left();
}
