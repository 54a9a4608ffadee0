//! Verbs called by an agent that sees more processors than there are: neither they nor what they start may see that.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::agent::container::AWAIT_GO;
use crate::agent::messages::uri;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, Builder, Container, eventually, need_root};

/// A host of the test's own: processes with another pid 1, which may be looked at by whoever may look at this test. (The
/// machine's pid 1 may be out of sight even for root, in a container or by a security module.)
struct Host {
    unshare: Child,
    first: i32,
}

impl Host {
    fn new() -> Host {
        // Reaps what is orphaned.
        let init = "echo up; while :; do sleep 1000 & wait; done";
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", init]).process_group(0);
        let mut unshare = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        let parent = unshare.id() as i32;
        let first = Process::all().into_iter().find(|process| process.parent == parent).unwrap().pid;
        Host { unshare, first }
    }

    /// An agent on this host whose calls see 13 processors; with `privileges` as an option of setpriv for them.
    fn agent(&self, privileges: &str) -> Builder {
        let binary = env!("CARGO_BIN_EXE_mesos-ecp");
        let inside = format!("nsenter -t {} -m -p {binary} agent --workers=13 -- setpriv {privileges}", self.first);
        // With cpus, so that nothing is added to the call's words.
        Agent::builder().through(&inside).env("MESOS_RESOURCES", "cpus:1")
    }

    fn namespace(&self) -> String {
        namespace(self.first)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        signal(self.first, Signal::SIGKILL);
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

fn namespace(pid: i32) -> String {
    fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap().to_str().unwrap().to_owned()
}

fn processors() -> String {
    let output = Command::new("getconf").arg("_NPROCESSORS_ONLN").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes what it sees, from its own mount namespace and from a new one, and waits to be told to go.
fn looking(agent: &Agent) -> Container<'_> {
    let look = "getconf _NPROCESSORS_ONLN; unshare --mount getconf _NPROCESSORS_ONLN; readlink /proc/self/ns/mnt";
    agent.task(&format!("({look}) > seen; echo $$ > pid; {AWAIT_GO}; exit 7")).launch()
}

#[track_caller]
fn assert_sees_the_host(container: &Container, host: &Host) {
    container.line("pid");
    let n = processors();
    assert_eq!(container.file("seen"), format!("{n}\n{n}\n{}\n", host.namespace()));
    assert_eq!(container.file("stderr"), "");
}

#[track_caller]
fn assert_supervised_on(agent: &Agent, host: &Host) {
    eventually("a supervisor", || !agent.supervisors().is_empty());
    for supervisor in agent.supervisors() {
        assert_eq!(namespace(supervisor.pid), host.namespace(), "{}", supervisor.command_line());
    }
}

#[test]
fn a_container_and_its_supervisor_see_the_host() {
    need_root!();
    let host = Host::new();
    let agent = host.agent("").build();
    let container = looking(&agent);
    assert_sees_the_host(&container, &host);
    assert_supervised_on(&agent, &host);
    container.usage();
    container.update(&[("cpus", 0.2)]);
    assert_eq!(agent.containers(), [container.id.as_str()]);
    let wait = container.spawn_wait();
    container.go();
    wait.finish().termination().assert_status(7 << 8);
    agent.assert_nothing_left();
}

#[test]
fn whoever_takes_over_sees_the_host() {
    need_root!();
    let host = Host::new();
    let agent = host.agent("").build();
    let container = looking(&agent);
    assert_sees_the_host(&container, &host);
    // By wait, then by recover.
    agent.kill_supervisors();
    let wait = container.spawn_wait();
    assert_supervised_on(&agent, &host);
    wait.kill();
    agent.kill_supervisors();
    agent.invoke("recover").run().ok();
    assert_supervised_on(&agent, &host);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn fetchers_and_isolator_programs_see_the_host() {
    need_root!();
    let host = Host::new();
    let agent = host.agent("").flag("--isolation=program/eye").build();
    let calls = agent.path("calls");
    let note = format!("echo $1 $(getconf _NPROCESSORS_ONLN) >> {}; printf '\\0\\0\\0\\0'", calls.display());
    agent.helper("eye", &note);
    agent.fetcher("getconf _NPROCESSORS_ONLN > fetched");
    let isolator_dir = format!("--isolator_dir={}", agent.libexec.display());
    let task = agent.task(&format!("{AWAIT_GO}; exit 7")).uri(uri("hdfs://127.0.0.1:9/x")).flag(&isolator_dir);
    let container = task.launch();
    container.usage();
    container.update(&[("cpus", 0.2)]);
    agent.kill_supervisors();
    let wait = container.spawn_wait();
    eventually("recover of the isolator", || fs::read_to_string(&calls).unwrap().contains("recover"));
    container.go();
    wait.finish().termination();
    let (calls, n) = (fs::read_to_string(&calls).unwrap(), processors());
    for call in ["plan", "prepare", "isolate", "watch", "usage", "update", "recover", "cleanup"] {
        assert!(calls.lines().any(|line| line == format!("{call} {n}")), "{call}: {calls}");
    }
    assert!(calls.lines().all(|line| line.ends_with(&format!(" {n}"))), "{calls}");
    assert_eq!(container.file("fetched").trim(), n);
    agent.assert_nothing_left();
}

#[test]
fn a_launch_that_may_not_look_at_pid_1_uncovers_the_file() {
    need_root!();
    let host = Host::new();
    let agent = host.agent("--bounding-set=-sys_ptrace").build();
    let look = "getconf _NPROCESSORS_ONLN > seen; grep -c cpu/online /proc/self/mountinfo";
    let (container, output) =
        agent.task(&format!("{look} > mounts; echo > all; {AWAIT_GO}; exit 7")).launch_with_output();
    container.line("all");
    assert_eq!((output.stderr.as_str(), container.file("seen").trim()), ("", processors().as_str()));
    assert_eq!(container.file("mounts").trim(), "0");
    agent.kill_supervisors();
    let wait = container.spawn_wait();
    eventually("a supervisor", || !agent.supervisors().is_empty());
    container.go();
    // Its status may be lost without the capability.
    wait.finish().termination();
    agent.assert_nothing_left();
}

#[test]
fn a_launch_that_may_not_leave_says_so_and_the_others_do_not() {
    need_root!();
    let host = Host::new();
    let agent = host.agent("--bounding-set=-sys_admin").build();
    let (container, output) = agent.task(&format!("getconf _NPROCESSORS_ONLN > seen; {AWAIT_GO}")).launch_with_output();
    let warning = "mesos-ecp: launch: warning: the agent's mount namespace could not be left (entering pid 1's: ";
    assert!(output.stderr.starts_with(warning) && output.stderr.lines().count() == 1, "{}", output.stderr);
    assert_eq!(container.line("seen"), "13");
    let update =
        container.invoke("update").record(crate::agent::messages::update(&container.id, &[]).record()).run().ok();
    assert_eq!(update.stderr, "");
    assert_eq!(container.destroy().stderr, "");
    agent.assert_nothing_left();
    // Nothing lies over the file there.
    let plain = format!("nsenter -t {} -m -p unshare --mount setpriv --bounding-set=-sys_admin", host.first);
    let agent = Agent::builder().through(&plain).build();
    let (container, output) = agent.task(&format!("getconf _NPROCESSORS_ONLN > seen; {AWAIT_GO}")).launch_with_output();
    assert_eq!((output.stderr.as_str(), container.line("seen")), ("", processors()));
    container.destroy();
}

/// What the look for the agent's namespace costs where there is nothing to leave: two calls.
#[test]
fn two_calls_tell_that_there_is_nothing_to_leave() {
    need_root!();
    let host = Host::new();
    let traced = |prefix: &str| {
        let agent = Agent::builder().build();
        let trace = agent.path("trace");
        let strace = format!("{prefix} strace -o {}", trace.display());
        let output = Agent::builder().through(&strace).beside(&agent).build().invoke("containers").run();
        assert!(output.containers().is_empty());
        let trace = fs::read_to_string(trace).unwrap();
        trace.lines().filter(|l| l.contains("/ns/mnt") || l.contains("/root") || l.starts_with("setns")).count()
    };
    let inside = format!("nsenter -t {} -m -p", host.first);
    assert_eq!(traced(&inside), 2);
    assert_eq!(
        traced(&format!("MESOS_RESOURCES=cpus:1 {inside} {} agent --workers=13 --", env!("CARGO_BIN_EXE_mesos-ecp"))),
        5
    );
}
