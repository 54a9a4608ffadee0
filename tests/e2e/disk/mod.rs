//! posix/disk: what containers use of disks, found by walking.

mod hostile;
mod many;
mod quotas;
mod takeover;
mod walks;

use std::path::Path;
use std::process::Command;

use crate::agent::messages::{Termination, scalar, update};
use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, eventually};

// Fields of ResourceStatistics.
const DISK_LIMIT_BYTES: u32 = 26;
const DISK_USED_BYTES: u32 = 27;

/// An agent whose containers are looked at four times a second.
fn agent() -> Builder {
    Agent::builder().flag("--isolation=posix/cpu,posix/mem,posix/disk").flag("--container_disk_watch_interval=250ms")
}

/// One that ends those that use too much.
fn enforcing() -> Builder {
    agent().flag("--enforce_container_disk_quota")
}

/// The usual resources, and so much disk for the sandbox.
fn resources(disk: f64) -> Vec<Message> {
    vec![scalar("cpus", 0.6), scalar("mem", 96.0), scalar("disk", disk)]
}

/// A persistent volume of so many MB.
fn volume(id: &str, at: &str, megabytes: f64) -> Message {
    let volume = Message::new().bytes(1, at).varint(3, 1);
    let info = Message::new().message(1, &Message::new().bytes(1, id)).message(2, &volume);
    let mut resource = scalar("disk", megabytes).message(7, &info);
    resource.set_text(6, crate::persistent::ROLE);
    resource
}

fn used(container: &Container<'_>) -> Option<u64> {
    container.usage().message.get_varint(DISK_USED_BYTES)
}

fn limit(container: &Container<'_>) -> Option<u64> {
    container.usage().message.get_varint(DISK_LIMIT_BYTES)
}

/// What GNU du says, in bytes.
fn du(path: &Path) -> u64 {
    let out = Command::new("du").args(["-k", "-s", "-x"]).arg(path).output().unwrap();
    String::from_utf8(out.stdout).unwrap().split('\t').next().unwrap().parse::<u64>().unwrap() * 1024
}

/// Waits until the container's figure is that of du.
#[track_caller]
fn settles(container: &Container<'_>) {
    eventually("usage says what du says", || used(container) == Some(du(&container.path(""))));
}

#[track_caller]
fn assert_exceeded(end: &Termination, quota: &str) {
    end.assert_limit(20);
    let (begin, rest) = ("Disk usage (", format!(") exceeds quota ({quota})"));
    assert!(end.message.starts_with(begin) && end.message.ends_with(&rest), "{end:?}");
}

/// An update to these resources.
#[track_caller]
fn change(container: &Container<'_>, resources: &[Message]) {
    container.invoke("update").record(update(&container.id, resources).record()).run().ok();
}
