//! Ends for want of memory that are not the container's own limit's.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::oom::{HOG, assert_limited, await_kills};
use super::{MB, limit, nest, task, with_mem};
use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Container, cgroups, eventually, need_root, processes};

/// Puts pages of a file into the container's memory until the kernel has to take some back: its limit is met, harmlessly.
/// The file has no blocks, so no disk is waited for.
const FILL: &str = "truncate -s 150M file; cat file > /dev/null; rm file";

/// A container of 64 MB that has met its limit harmlessly; told to go, a child runs out of some memory; then it ends with 3.
fn launch(agent: &Agent) -> Container<'_> {
    let script =
        format!("echo $$ > pid; {FILL}; echo > filled; {AWAIT_GO}; {HOG} & echo $! > hog; wait $!; sleep 0.2; exit 3");
    let container = task(agent, 64.0, &script).launch();
    container.line("filled");
    // v2 counts what is harmless by itself; and there the file may be on a tmpfs, which keeps no pages for holes.
    if cgroups::is_v1("memory") {
        assert_ne!(container.control("memory", "memory.failcnt"), "0", "the limit was not met");
    }
    container
}

fn above(agent: &Agent) -> PathBuf {
    cgroups::mount_point("memory").join(&agent.cgroups_root)
}

#[test]
fn a_limit_above_is_not_the_containers() {
    need_root!();
    let agent = with_mem().build();
    let container = launch(&agent);
    limit(&above(&agent), 24 * MB);
    container.go();
    await_kills(&container, 1);
    container.complete().assert_status(3 << 8);
    // The next one's own limit is told from it still.
    limit(&above(&agent), 1 << 30);
    let container = task(&agent, 32.0, &format!("{HOG}; exit 0")).launch();
    assert_limited(&container.complete(), 32);
    agent.assert_nothing_left();
}

#[test]
fn a_limit_above_and_then_the_containers_own() {
    need_root!();
    let agent = with_mem().build();
    let script = format!("{AWAIT_GO}; {HOG}; echo > once; while [ ! -e on ]; do sleep 0.02; done; {HOG}; sleep 1000");
    let container = task(&agent, 64.0, &script).launch();
    limit(&above(&agent), 24 * MB);
    container.go();
    container.line("once");
    limit(&above(&agent), 1 << 30);
    fs::write(container.path("on"), "").unwrap();
    assert_limited(&container.complete(), 64);
}

#[test]
fn a_limit_above_is_not_the_containers_without_a_supervisor_either() {
    need_root!();
    let agent = with_mem().build();
    let container = task(&agent, 64.0, &format!("echo $$ > pid; {AWAIT_GO}; {HOG}; exit 3")).launch();
    container.pid("pid");
    agent.kill_supervisors();
    limit(&above(&agent), 24 * MB);
    container.go();
    await_kills(&container, 1);
    let end = container.complete();
    assert!(!end.killed && end.reasons.is_empty(), "{end:?}");
}

#[test]
fn who_takes_over_tells_a_limit_above_from_the_containers() {
    need_root!();
    let agent = with_mem().build();
    let container = launch(&agent);
    agent.kill_supervisors();
    let wait = container.spawn_wait();
    eventually("somebody has taken over", || !agent.supervisors().is_empty());
    std::thread::sleep(std::time::Duration::from_millis(300));
    limit(&above(&agent), 24 * MB);
    container.go();
    let end = wait.finish().termination();
    assert!(!end.killed && end.reasons.is_empty(), "{end:?}");
    agent.assert_nothing_left();
}

#[test]
fn a_limit_below_is_not_the_containers() {
    need_root!();
    for supervised in [true, false] {
        let agent = with_mem().build();
        let container = launch(&agent);
        limit(&nest(&container), 8 * MB);
        if !supervised {
            agent.kill_supervisors();
        }
        container.go();
        eventually("the task has ended", || container.processes().is_empty());
        let end = container.complete();
        assert!(!end.killed && end.reasons.is_empty(), "{end:?}");
        agent.assert_nothing_left();
    }
}

#[test]
fn a_kill_from_elsewhere_is_not_the_containers_limit() {
    need_root!();
    let agent = with_mem().build();
    let script = format!("{FILL}; sleep 1000 & echo $! > hog; wait $!; exit 3");
    let container = task(&agent, 64.0, &script).launch();
    // As the host does it when it runs out itself.
    processes::signal(container.pid("hog"), Signal::SIGKILL);
    container.complete().assert_status(3 << 8);
}

#[test]
fn a_removed_cgroup_is_no_limit() {
    need_root!();
    let agent = with_mem().build();
    let container = task(&agent, 64.0, &format!("echo $$ > pid; {FILL}; echo > filled; {AWAIT_GO}; exit 3")).launch();
    container.line("filled");
    let below = container.cgroup("memory").join("below");
    fs::create_dir(&below).unwrap();
    fs::remove_dir(&below).unwrap();
    if cgroups::is_v1("memory") {
        // All out of it, and then it goes itself. (On v2 the launcher needs it.)
        eventually("the container's cgroup is removed", || {
            let pids = fs::read_to_string(container.cgroup("memory").join("cgroup.procs")).unwrap_or_default();
            pids.lines().for_each(|pid| drop(fs::write(above(&agent).join("cgroup.procs"), pid)));
            fs::remove_dir(container.cgroup("memory")).is_ok()
        });
    }
    container.go();
    container.complete().assert_status(3 << 8);
    agent.assert_nothing_left();
}
