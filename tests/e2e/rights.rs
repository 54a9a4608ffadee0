//! What a container may do and use, as its own first process sees it: ids, capabilities, resource limits, umask.

mod capabilities;
mod others;
mod rlimits;

use std::collections::BTreeMap;

use nix::unistd::{Uid, User};

use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Container, Task};

/// `/proc/self/status` and `/proc/self/limits` of a container's first process.
struct Seen {
    status: BTreeMap<String, String>,
    limits: String,
}

/// Writes them down. What `cat` sees is what executing one more program leaves.
const LOOK: &str =
    "cat /proc/$$/status > status; cat /proc/self/status > again; cat /proc/$$/limits > limits; umask > umask";

impl Seen {
    fn of(container: &Container<'_>) -> Seen {
        let status = |file: &str| -> BTreeMap<String, String> {
            let text = container.file(file);
            let line =
                |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
            text.lines().filter_map(line).collect()
        };
        let (first, again) = (status("status"), status("again"));
        for same in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Uid", "Gid", "Groups", "NoNewPrivs"] {
            assert_eq!(first[same], again[same], "{same} changes when another program is executed");
        }
        Seen { status: first, limits: container.file("limits") }
    }

    fn set(&self, name: &str) -> u64 {
        u64::from_str_radix(&self.status[name], 16).unwrap()
    }

    /// Inheritable, permitted, effective, bounding, ambient.
    fn sets(&self) -> [u64; 5] {
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| self.set(name))
    }

    /// Soft and hard limit, as the kernel prints them.
    fn limit(&self, name: &str) -> (String, String) {
        let line = self.limits.lines().find_map(|line| line.strip_prefix(name));
        let mut words = line.unwrap_or_else(|| panic!("no {name} in {}", self.limits)).split_whitespace();
        let mut word = || words.next().unwrap().to_owned();
        (word(), word())
    }
}

/// Launches what looks, and gives back what it saw.
#[track_caller]
fn look(task: Task<'_>) -> Seen {
    let container = task.launch();
    container.complete().assert_status(0);
    Seen::of(&container)
}

/// The bits of these capabilities.
fn bits(numbers: &[u32]) -> u64 {
    numbers.iter().map(|number| 1u64 << number).sum()
}

/// The bounding set of the agent itself.
fn own_bounding() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// The account `nobody` has the same name everywhere, though not its group.
fn nobody() -> User {
    User::from_name("nobody").unwrap().unwrap()
}

/// Sets a field of the record's ContainerInfo, which is of type MESOS.
fn ask(launch: &mut Message, number: u32, value: &Message) {
    launch.edit(3, |executor| {
        let info = executor.get_message(11).unwrap_or_else(|| Message::new().varint(1, 2));
        executor.set(11, Value::Bytes(info.message(number, value).encode()));
    });
}

/// An agent with these flags.
fn agent(flags: &[&str]) -> Agent {
    flags.iter().fold(Agent::builder(), |builder, flag| builder.flag(flag)).build()
}

/// The agent's own user: root where these tests run.
fn is_root() -> bool {
    Uid::effective().is_root()
}
