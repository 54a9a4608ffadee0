//! What containers see of file systems: volumes, and who decides about them.

mod attacks;
mod default_info;
mod linux;
mod matrix;
mod mounted;
mod posix;
pub mod root;
mod shared;

use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Builder};

const RW: u64 = 1;
const RO: u64 = 2;

/// `mesos.Volume`.
fn volume(host: &str, container: &str, mode: u64) -> Message {
    Message::new().bytes(1, container).bytes(2, host).varint(3, mode)
}

/// A `ContainerInfo` of type MESOS.
fn info(volumes: &[Message]) -> Message {
    volumes.iter().fold(Message::new().varint(1, 2), |info, volume| info.message(2, volume))
}

/// For `Task::edit`: gives the executor these volumes.
fn volumes(volumes: &[Message]) -> impl Fn(&mut Message) + use<> {
    let info = info(volumes).encode();
    move |launch| launch.edit(3, |executor| executor.set(11, Value::Bytes(info.clone())))
}

fn linux() -> Builder {
    Agent::builder().flag("--isolation=filesystem/linux,posix/cpu,posix/mem")
}

/// A directory of the agent's with a file in it that everybody may read, and everybody may write to both.
fn open_directory(agent: &Agent, name: &str, content: &str) -> String {
    let path = agent.path(name);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("content"), format!("{content}\n")).unwrap();
    for path in [&path, &path.join("content")] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    }
    path.to_str().unwrap().to_owned()
}

/// The mounts of the host that have to do with the agent's directories.
fn mounts_of_the_host(agent: &Agent) -> Vec<String> {
    let all = std::fs::read_to_string("/proc/1/mountinfo").unwrap();
    let place = agent.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    all.lines().filter(|line| line.contains(&place)).map(str::to_owned).collect()
}
