//! The host has run out of something: a clear error or none, everything undone, and the next call works.
//!
//! One agent's calls are short of it; another one, which shares its directories, is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Builder, Container, cgroups, eventually, messages, need_root, skip};
use crate::full_disk::Tiny;
use crate::refusals::assert_says;

const BOUND: Duration = Duration::from_secs(30);

/// Two agents of the same directories and flags: the calls of the first begin with `short`.
fn pair(short: &str, make: impl Fn(Builder) -> Builder) -> [Agent; 2] {
    let short = make(Agent::builder().through(short)).build();
    let well = make(Agent::builder().same_as(&short, &short.work_dir.clone())).build();
    [short, well]
}

/// Launches by the first agent, ends by the second. Gives the reason where it was refused; one that was killed gave none.
#[track_caller]
fn launch(agents: &[Agent; 2], what: &str) -> Option<String> {
    launch_large(agents, 0, what)
}

/// With a record that has so many bytes for the executor.
#[track_caller]
fn launch_large(agents: &[Agent; 2], bytes: usize, what: &str) -> Option<String> {
    let [short, well] = agents;
    let data = |launch: &mut Message| launch.edit(3, |executor| executor.set(4, Value::Bytes(vec![7; bytes])));
    let (container, call) = short.task("exit 3").edit(data).spawn();
    let output = call.finish_within(BOUND);
    let refused = match output.status.code() {
        Some(0) => {
            let end = well.about("wait", &container.id).spawn().finish_within(BOUND).termination();
            assert_eq!(end.status, Some(3 << 8), "{what}: {end:?}");
            None
        }
        code => {
            let killed = matches!(code, None | Some(134 | 137));
            assert!(killed || !output.stderr.is_empty(), "{what}: failed without a word: {output:?}");
            Some(output.stderr)
        }
    };
    container.note_end();
    // A launch that was killed behind its commit is one that the agent knows nothing of, until it comes back.
    well.restart_without_memory();
    assert!(well.containers().is_empty(), "{what}: still listed");
    short.assert_nothing_left();
    well.assert_nothing_left();
    refused
}

/// And then the next call works.
#[track_caller]
fn goes_on(agent: &Agent) {
    agent.task("exit 4").launch().complete().assert_status(4 << 8);
    agent.assert_nothing_left();
}

#[test]
fn of_descriptors() {
    let (mut refused, mut done) = (0, 0);
    // With fewer the dynamic linker does not come to start the program.
    for descriptors in 8..40 {
        let what = format!("{descriptors} descriptors");
        let agents = pair(&format!("prlimit --nofile={descriptors}:{descriptors}"), |builder| builder);
        match launch(&agents, &what) {
            Some(reason) => {
                assert_says(&reason, &["Too many open files"]);
                refused += 1;
            }
            None => done += 1,
        }
        goes_on(&agents[1]);
    }
    assert!(refused > 0 && done > 0, "{refused} were refused, {done} were not");
}

#[test]
fn of_addresses() {
    let limited = |kilobytes: u32| pair(&format!("prlimit --as={}", kilobytes * 1024), |builder| builder);
    // With how little the program can be started at all depends on how it was built.
    let (mut too_little, mut enough) = (1_000, 32_000);
    while enough - too_little > 16 {
        let middle = (too_little + enough) / 2;
        match limited(middle)[0].invoke("containers").run().status.success() {
            true => enough = middle,
            false => too_little = middle,
        }
    }
    let (mut refused, mut done) = (0, 0);
    // What it takes to be loaded is enough for all but a large record.
    for more in (0..20).map(|n| n * 500) {
        let kilobytes = enough + more;
        let agents = limited(kilobytes);
        match launch_large(&agents, 1 << 20, &format!("{kilobytes} kB of addresses")) {
            Some(_) => refused += 1,
            None => done += 1,
        }
        goes_on(&agents[1]);
    }
    assert!(refused > 0 && done > 0, "{refused} were refused, {done} were not, from {enough} kB");
}

/// A cgroup around the calls of an agent, removed at the end.
struct Around(PathBuf);

impl Around {
    fn new(controller: &str, agent: &str, file: &str, value: &str) -> Around {
        let path = cgroups::mount_point(controller).join(format!("{agent}-around"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join(file), value).unwrap();
        Around(path)
    }

    fn enter(&self) -> String {
        format!("echo $$ > {}/cgroup.procs || exit 99;", self.0.display())
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn unique() -> String {
    format!("ecp-e2e-{}", crate::agent::new_id())
}

#[test]
fn of_processes() {
    need_root!();
    if !cgroups::is_v1("pids") {
        skip!("no v1 hierarchy of pids");
    }
    let (mut refused, mut done) = (0, 0);
    // One is the agent's shell.
    for processes in 2..9 {
        let around = Around::new("pids", &unique(), "pids.max", &processes.to_string());
        let agents = pair(&around.enter(), |builder| builder);
        match launch(&agents, &format!("{processes} processes")) {
            Some(reason) => {
                assert_says(&reason, &["Resource temporarily unavailable"]);
                refused += 1;
            }
            None => done += 1,
        }
        goes_on(&agents[1]);
    }
    assert!(refused > 0 && done > 0, "{refused} were refused, {done} were not");
}

/// The kernel kills whoever of the launch needs the page that there is not.
#[test]
fn of_memory() {
    need_root!();
    if !cgroups::is_v1("memory") {
        skip!("no v1 hierarchy of memory");
    }
    let (mut refused, mut done) = (0, 0);
    for kilobytes in [200, 400, 600, 800, 1000, 1200, 1500, 2000, 3000, 5000, 20_000] {
        let around = Around::new("memory", &unique(), "memory.limit_in_bytes", &(kilobytes * 1024).to_string());
        let agents = pair(&around.enter(), |builder| builder);
        match launch(&agents, &format!("{kilobytes} kB of memory")) {
            Some(_) => refused += 1,
            None => done += 1,
        }
        goes_on(&agents[1]);
    }
    assert!(refused > 0 && done > 0, "{refused} were refused, {done} were not");
}

fn remount(place: &Path, how: &str) {
    let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(place).status().unwrap();
    assert!(status.success());
}

#[test]
fn of_a_file_system_that_can_be_written() {
    need_root!();
    let agent = Agent::new();
    let tiny = Tiny::mount(&agent.runtime_dir);
    let container = agent.task("sleep 1000").launch();
    remount(&agent.runtime_dir, "ro");
    let (_, output) = agent.task("touch ran").try_launch();
    assert_says(&output.refused(), &["Read-only file system", agent.runtime_dir.to_str().unwrap()]);
    agent.invoke("recover").run().ok();
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.usage();
    let destroy = container.invoke("destroy").spawn().finish_within(BOUND);
    assert_says(&destroy.refused(), &["Read-only file system"]);
    remount(&agent.runtime_dir, "rw");
    container.destroy();
    agent.assert_nothing_left();
    goes_on(&agent);
    drop(tiny);
}

/// As after a reboot: the agent comes up all the same, and is told why nothing can be launched.
#[test]
fn of_a_file_system_that_can_be_written_before_there_is_anything() {
    need_root!();
    let agent = Agent::new();
    fs::create_dir_all(&agent.runtime_dir).unwrap();
    let tiny = Tiny::mount(&agent.runtime_dir);
    remount(&agent.runtime_dir, "ro");
    let recover = agent.invoke("recover").sandbox(agent.work_dir.clone(), None).run().ok();
    assert_says(&recover.stderr, &["Read-only file system", "none can be launched"]);
    assert!(agent.containers().is_empty());
    let (_, output) = agent.task("touch ran").try_launch();
    assert_says(&output.refused(), &["Read-only file system", agent.runtime_dir.to_str().unwrap()]);
    remount(&agent.runtime_dir, "rw");
    goes_on(&agent);
    drop(tiny);
}

/// The other verbs than launch: what cannot be done now says why and can be done later, and the container does not suffer.
#[test]
fn of_descriptors_in_a_containers_life() {
    let (mut refused, mut done) = (0, 0);
    for descriptors in 5..16 {
        let [short, well] = pair(&format!("prlimit --nofile={descriptors}:{descriptors}"), |builder| builder);
        let container = well.task("sleep 1000").launch();
        let resources = messages::update(&container.id, &[messages::scalar("cpus", 0.5)]).record();
        let about = |verb: &str| short.about(verb, &container.id);
        let calls = [
            ("usage", about("usage")),
            ("update", about("update").record(resources)),
            ("recover", short.invoke("recover")),
            ("containers", short.invoke("containers")),
            ("destroy", about("destroy")),
        ];
        for (verb, call) in calls {
            let output = call.sandbox(container.path(""), None).spawn().finish_within(BOUND);
            match output.status.code() {
                Some(0) => done += 1,
                // The dynamic linker.
                Some(127) => {}
                code => {
                    assert!(code == Some(1), "{descriptors} descriptors: {verb}: {output:?}");
                    assert_says(&output.stderr, &["Too many open files"]);
                    refused += 1;
                }
            }
        }
        container.invoke("destroy").run();
        well.about("destroy", &container.id).spawn().finish_within(BOUND).ok();
        let end = well.about("wait", &container.id).spawn().finish_within(BOUND).termination();
        assert_eq!(end.status, Some(9), "{descriptors} descriptors: {end:?}");
        container.note_end();
        goes_on(&well);
    }
    assert!(refused > 0 && done > 0, "{refused} were refused, {done} were not");
}

#[test]
fn of_cgroups() {
    need_root!();
    let Some(unified) = cgroups::unified() else { skip!("no cgroup v2") };
    let agent = Agent::new();
    let top = unified.join(agent.cgroups_root.split('/').next().unwrap());
    fs::create_dir(&top).unwrap();
    fs::write(top.join("cgroup.max.descendants"), "0").unwrap();
    let reason = agent.task("touch ran").refused();
    assert_says(&reason, &[top.to_str().unwrap(), "Resource temporarily unavailable"]);
    fs::write(top.join("cgroup.max.descendants"), "max").unwrap();
    goes_on(&agent);
}

/// In a user namespace of its own, of which this is a limit.
#[test]
fn of_inotify_instances() {
    need_root!();
    let inside = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    let agents = pair(&format!("unshare --user --map-root-user sh -c '{inside}' sh"), |builder| {
        builder
            .flag("--launcher=posix")
            .flag("--isolation=posix/disk")
            .flag("--container_disk_watch_interval=200ms")
            .flag("--disk_walkers=1")
    });
    let containers: Vec<_> =
        (0..4).map(|_| agents[0].task("head -c 300000 /dev/zero > file; sleep 1000").no_user().launch()).collect();
    let used = |container: &Container| {
        let usage = agents[1].about("usage", &container.id).run().statistics();
        usage.message.get_varint(27).unwrap_or_default()
    };
    for container in &containers {
        eventually("its disk usage is known", || used(container) > 290_000);
        agents[1].about("destroy", &container.id).run().ok();
    }
    agents[0].assert_nothing_left();
}
