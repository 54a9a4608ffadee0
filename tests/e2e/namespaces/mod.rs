//! Namespaces of a container's own. What is looked at is what the container sees, and what the host's kernel says of its processes.

mod cgroup;
mod init;
mod ipc;
mod pid;
mod taken_over;
mod together;
mod user;
mod uts;

use std::fs;

use crate::agent::processes::Process;
use crate::agent::{Agent, Container, eventually};

/// An agent with these isolators beside posix/cpu and posix/mem.
fn agent(names: &str) -> Agent {
    Agent::builder().flag(&format!("--isolation=posix/cpu,posix/mem,{names}")).build()
}

/// The namespace of this kind that this process is in.
fn ours(kind: &str) -> String {
    of("self", kind)
}

/// The namespace of this kind that a process is in.
fn of(pid: &str, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().to_string_lossy().into_owned()
}

/// The process of the container that it knows by this number itself.
#[track_caller]
fn inside(container: &Container, number: i32) -> Process {
    let is_it = |process: &Process| {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        numbers.split_ascii_whitespace().next_back() == Some(&number.to_string())
    };
    // While it executes a program, it has no environment by which it is found.
    let mut found = None;
    eventually(&format!("a process {number} of the container"), || {
        found = container.processes().into_iter().find(is_it);
        found.is_some()
    });
    found.unwrap()
}

/// All mounts of the host, without what the tests beside this one may have.
fn host_mounts() -> Vec<String> {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let kind =
        |line: &str| line.split(" - ").nth(1).unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
    let ours = ["proc", "mqueue", "cgroup2"];
    let mut mounts: Vec<_> =
        all.lines().filter(|line| ours.contains(&kind(line).as_str())).map(str::to_owned).collect();
    mounts.extend(all.lines().filter(|line| line.contains(" /dev/shm ")).map(str::to_owned));
    mounts
}
