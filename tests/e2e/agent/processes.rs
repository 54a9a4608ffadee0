//! A look at the processes of the machine, and signals to those that the tests made.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A line of the process table.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub name: String,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
}

impl Process {
    /// The process of this id, if there is one.
    pub fn find(pid: i32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, so the rest begins behind the last parenthesis.
        let (head, tail) = stat.rsplit_once(')')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = || fields.next()?.parse().ok();
        Some(Process {
            pid,
            name: head.split_once('(')?.1.to_owned(),
            state,
            parent: number()?,
            group: number()?,
            session: number()?,
        })
    }

    /// All processes.
    pub fn all() -> Vec<Process> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| Process::find(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    /// Neither gone nor a zombie.
    pub fn is_running(pid: i32) -> bool {
        Process::find(pid).is_some_and(|process| !matches!(process.state, 'Z' | 'X'))
    }

    /// The command line, its words with a space between them. Empty for zombies.
    pub fn command_line(&self) -> String {
        let words = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ")
    }

    /// The environment it was started with, as `NAME=value` each.
    pub fn environment(&self) -> Vec<String> {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        bytes.split(|byte| *byte == 0).map(|variable| String::from_utf8_lossy(variable).into_owned()).collect()
    }

    fn mentions(&self, path: &str) -> bool {
        let cwd = || fs::read_link(format!("/proc/{}/cwd", self.pid)).unwrap_or_default();
        self.command_line().contains(path)
            || cwd().starts_with(path)
            || self.environment().iter().any(|variable| variable.contains(path))
    }
}

/// Every process whose command line, environment or working directory names this path, but for the tests themselves.
pub fn mentioning(path: &Path) -> Vec<Process> {
    let path = path.to_str().expect("a path in UTF-8");
    let own = std::process::id() as i32;
    Process::all().into_iter().filter(|process| process.pid != own && process.mentions(path)).collect()
}

/// Sends a signal to one process. That it is gone already is no mistake.
pub fn signal(pid: i32, signal: Signal) {
    assert!(pid > 1, "a signal to {pid}");
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Kills a process with its tree, its group and its session, as the agent does with `wait`.
///
/// Each is stopped before its children are looked up, so that none escapes by a fork.
pub fn kill_tree(root: i32) {
    let mut doomed = BTreeSet::from([root]);
    signal(root, Signal::SIGSTOP);
    loop {
        let all = Process::all();
        let relation =
            |process: &&Process| doomed.contains(&process.parent) || process.group == root || process.session == root;
        let found: Vec<_> = all.iter().filter(relation).map(|process| process.pid).collect();
        let fresh: Vec<_> = found.into_iter().filter(|pid| doomed.insert(*pid)).collect();
        if fresh.is_empty() {
            break;
        }
        fresh.iter().for_each(|pid| signal(*pid, Signal::SIGSTOP));
    }
    doomed.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
}
