//! Persistent volumes: at launch, by update, in the hands of users who mean no good.

#[cfg(feature = "weakened")]
mod attacks;
mod hostile;
mod links;
mod mounts;
mod ownership;

use std::fs;
use std::path::PathBuf;

use crate::agent::messages::{scalar, update};
use crate::agent::wire::Message;
use crate::agent::{Agent, Container, Output, Task};

/// As tasks' scripts are told to go on.
pub const AWAIT: &str = "await() { while [ ! -e $1 ]; do sleep 0.02; done; }";

pub const ROLE: &str = "prod";

/// An agent with one of the isolators.
pub fn agent(isolator: &str) -> Agent {
    Agent::builder().flag(&format!("--isolation=posix/cpu,posix/mem,{isolator}")).build()
}

/// A persistent volume as a resource.
pub struct Volume {
    id: String,
    at: String,
    read_only: bool,
    source: Option<Message>,
}

pub fn volume(id: &str, at: &str) -> Volume {
    Volume { id: id.to_owned(), at: at.to_owned(), read_only: false, source: None }
}

impl Volume {
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// On a disk of its own (`type` 2) or on one that is shared (1).
    pub fn source(mut self, kind: u64, root: &str) -> Self {
        let root = Message::new().bytes(1, root);
        self.source = Some(Message::new().varint(1, kind).message(if kind == 1 { 2 } else { 3 }, &root));
        self
    }

    pub fn resource(&self) -> Message {
        let volume = Message::new().bytes(1, &self.at).varint(3, if self.read_only { 2 } else { 1 });
        let mut info = Message::new().message(1, &Message::new().bytes(1, &self.id)).message(2, &volume);
        if let Some(source) = &self.source {
            info = info.message(3, source);
        }
        let mut resource = scalar("disk", 16.0).message(7, &info);
        resource.set_text(6, ROLE);
        resource
    }
}

/// Where the agent keeps a volume.
pub fn kept(agent: &Agent, id: &str) -> PathBuf {
    agent.work_dir.join("volumes/roles").join(ROLE).join(id)
}

/// Makes a volume, as the agent does.
pub fn make(agent: &Agent, id: &str) -> PathBuf {
    let path = kept(agent, id);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A shell command with these volumes.
pub fn task<'a>(agent: &'a Agent, script: &str, volumes: &[Volume]) -> Task<'a> {
    agent.task(&format!("{AWAIT}; {script}")).resources(all(volumes))
}

fn all(volumes: &[Volume]) -> Vec<Message> {
    let usual = [scalar("cpus", 0.6), scalar("mem", 96.0), scalar("disk", 8.0)];
    usual.into_iter().chain(volumes.iter().map(Volume::resource)).collect()
}

/// An update to these volumes, whatever comes of it.
pub fn try_change(container: &Container<'_>, volumes: &[Volume]) -> Output {
    container.invoke("update").record(update(&container.id, &all(volumes)).record()).run()
}

#[track_caller]
pub fn change(container: &Container<'_>, volumes: &[Volume]) {
    try_change(container, volumes).ok();
}

/// The host's mount table: what of it lies below the agent's directories.
pub fn mounted(agent: &Agent) -> Vec<String> {
    let below = agent.work_dir.display().to_string();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(&below)).map(str::to_owned).collect()
}
