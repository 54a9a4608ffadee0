//! After a reboot pids mean other processes: what the state says of them is not acted on. Here an innocent process has the very
//! pid that the state of a container names.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::agent::processes::{Process, signal};
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Container, eventually, new_id};
use crate::state;

/// Fields of `Checkpoint` and `Process` in proto/state.proto.
const OWNER: u32 = 2;
const FIRST: u32 = 4;
const PID: u32 = 1;
const START_TIME: u32 = 2;

struct Innocent(Child);

impl Innocent {
    fn new() -> Innocent {
        Innocent(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn is_running(&self) -> bool {
        Process::is_running(self.0.id() as i32)
    }

    /// Clock ticks after boot: field 22 of /proc/PID/stat.
    fn start_time(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().parse().unwrap()
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A container of which nothing runs any more, and whose checkpoints name the innocent process in place of the roles `who`.
fn recycled<'a>(agent: &'a Agent, innocent: &Innocent, start_time: u64, who: &[u32]) -> Container<'a> {
    let container = agent.task("sleep 1000").launch();
    container.first_pid();
    let state = agent.state(&container.id).unwrap();
    agent.kill_supervisors();
    eventually("nothing of it runs", || {
        // Again and again: a shell may just be starting something.
        container.processes().iter().for_each(|process| signal(process.pid, nix::sys::signal::Signal::SIGKILL));
        agent.processes().is_empty()
    });
    for entry in fs::read_dir(&state).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("checkpoint-") || name == "committed" {
            rename(&entry.path(), innocent, start_time, who);
        }
    }
    container
}

fn rename(checkpoint: &Path, innocent: &Innocent, start_time: u64, who: &[u32]) {
    let mut message = Message::decode(&fs::read(checkpoint).unwrap());
    for role in who {
        message.edit(*role, |process| {
            process.set(PID, Value::Varint(u64::from(innocent.0.id())));
            process.set(START_TIME, Value::Varint(start_time));
        });
    }
    fs::write(checkpoint, message.encode()).unwrap();
}

#[test]
fn of_another_boot_nobody_is_killed_and_all_is_cleaned() {
    let innocent = Innocent::new();
    let agent = Agent::new();
    // Even the start time is the same.
    let container = recycled(&agent, &innocent, innocent.start_time(), &[OWNER, FIRST]);
    let boot = state::of(&agent);
    let old = boot.with_file_name(new_id());
    fs::rename(&boot, &old).unwrap();
    let recovered = agent.restart_with_memory();
    assert_eq!((recovered.listed.len(), recovered.lost), (0, vec![container.id.clone()]));
    assert!(!old.exists(), "the state of the other boot is still there");
    container.spawn_wait().finish().termination().assert_unknown();
    container.invoke("destroy").run().ok();
    assert!(innocent.is_running());
    crate::agent::cgroups::remove_all(&agent.cgroups_root);
}

#[test]
fn of_this_boot_a_recycled_pid_is_told_by_its_start_time() {
    for verb in ["recover", "wait", "destroy"] {
        let innocent = Innocent::new();
        let agent = Agent::new();
        let container = recycled(&agent, &innocent, innocent.start_time() - 1, &[OWNER, FIRST]);
        match verb {
            "recover" => drop(agent.invoke("recover").run().ok()),
            "wait" => drop(container.spawn_wait().finish_within(Duration::from_secs(20)).termination()),
            _ => drop(container.invoke("destroy").run().ok()),
        }
        container.invoke("destroy").run().ok();
        container.spawn_wait().finish().termination();
        assert!(agent.containers().is_empty(), "{verb}");
        agent.assert_nothing_left();
        assert!(innocent.is_running(), "{verb}");
    }
}
