//! What can be seen of the program from outside: its processes and its state.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::processes::{self, Process};
use super::wire::Message;
use super::{Agent, eventually, patient};

impl Agent {
    /// The program's processes that look after containers: all of its processes that belong to no call under way.
    pub fn supervisors(&self) -> Vec<Process> {
        let runtime_dir = self.runtime_dir.to_str().unwrap();
        let variable = format!("MESOS_ECP_RUNTIME_DIR={runtime_dir}");
        let mut all = self.sessions.outside(Process::all);
        all.retain(|process| {
            process.name == self.own_name()
                && (process.command_line().contains(runtime_dir) || process.environment().contains(&variable))
        });
        all
    }

    /// Kills what looks after the containers, and waits until it is gone. There must be something to kill.
    #[track_caller]
    pub fn kill_supervisors(&self) {
        let supervisors = self.supervisors();
        assert!(!supervisors.is_empty(), "nobody looks after the container");
        supervisors.iter().for_each(|process| processes::signal(process.pid, Signal::SIGKILL));
        eventually("the killed supervisor is gone", || {
            supervisors.iter().all(|process| !Process::is_running(process.pid))
        });
    }

    /// The names in all of the program's `live` directories.
    pub fn live(&self) -> Vec<String> {
        let below = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let live = below(self.runtime_dir.clone()).flat_map(below).flat_map(|boot| below(boot.join("live")));
        let names = live.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        // What was set aside in its place is no container any more.
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// The state directory of a live container.
    pub fn state(&self, id: &str) -> Option<PathBuf> {
        let below = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let boots = below(self.runtime_dir.clone()).flat_map(below);
        boots.map(|boot| boot.join("live").join(id)).find(|state| state.is_dir())
    }

    /// The process that looks after a live container, as its state says.
    pub fn owner(&self, id: &str) -> Option<i32> {
        let state = self.state(id)?;
        let latest = ["checkpoint-3-adopted", "checkpoint-2-started", "checkpoint-1-launched"];
        let checkpoint = latest.iter().find_map(|name| fs::read(state.join(name)).ok())?;
        // Owner, and its pid.
        Message::decode(&checkpoint).get_message(2)?.get_varint(1).map(|pid| pid as i32)
    }

    /// What the log of a live container says.
    pub fn log(&self, id: &str) -> String {
        self.state(id).and_then(|state| fs::read_to_string(state.join("log")).ok()).unwrap_or_default()
    }

    /// Fails the test unless neither processes nor live state remain. What was told to go may take a moment.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let end = Instant::now() + patient(Duration::from_secs(10));
        loop {
            let left = self.left_running();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left behind: {left:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All processes that this agent's calls have made and that still run.
    pub fn processes(&self) -> Vec<Process> {
        self.sessions.outside(|| processes::mentioning(self.root.path()))
    }
}
