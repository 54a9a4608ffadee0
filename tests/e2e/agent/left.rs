//! What is left of an agent's containers on the host. Answered records aside there must be nothing once all have ended.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Agent, cgroups};

/// What may lie in a runtime directory beside the agents' state: an empty file whose bytes are locked.
const SHARED: [&str; 1] = ["disk-walkers"];
/// What may lie beside the live and the ended ones: when it was last looked for what may be forgotten.
const BESIDE: [&str; 3] = ["live", "ended", ".swept"];
/// What the record of an ended container must have nothing of any more: it may be large, and has the task's secrets.
const EMPTIED: [&str; 3] = ["launch", "resources", "facts."];

impl Agent {
    /// Processes, live state and cgroups, in words.
    pub fn left_running(&self) -> Vec<String> {
        let processes = self.processes();
        let named = processes.iter().map(|p| format!("process {} ({}) {}", p.pid, p.state, p.command_line()));
        let live = self.live().into_iter().map(|id| format!("live state of {id}"));
        let cgroups = cgroups::below_all(&self.cgroups_root);
        named.chain(live).chain(cgroups.iter().map(|path| format!("cgroup {}", path.display()))).collect()
    }

    /// The same, and all else that the host may have kept: mounts, half made and half deleted state, and records that nobody has
    /// asked for.
    pub fn left(&self) -> Vec<String> {
        let mut left = self.left_running();
        let root = self.root.path().to_str().unwrap();
        let mounts = fs::read_to_string("/proc/1/mountinfo").unwrap();
        left.extend(mounts.lines().filter(|line| line.contains(root)).map(|line| format!("mount {line}")));
        left.extend(self.left_of_state().iter().map(|path| format!("state {}", path.display())));
        left.extend(self.containers().iter().map(|id| format!("listed container {id}")));
        left
    }

    fn left_of_state(&self) -> Vec<PathBuf> {
        let is_scope = |path: &PathBuf| {
            let name = name(path);
            name.len() == 16 && name.chars().all(|c| c.is_ascii_hexdigit())
        };
        let (scopes, others): (Vec<_>, Vec<_>) = entries(&self.runtime_dir).into_iter().partition(is_scope);
        let others = others.into_iter().filter(|path| !SHARED.contains(&name(path).as_str()));
        let boots: Vec<PathBuf> = scopes.iter().flat_map(|scope| entries(scope)).collect();
        let beside = boots.iter().flat_map(|boot| entries(boot)).filter(|path| !BESIDE.contains(&name(path).as_str()));
        let records = boots.iter().flat_map(|boot| entries(&boot.join("ended"))).flat_map(|record| entries(&record));
        let full = |path: &PathBuf| {
            let is_emptied = EMPTIED.iter().any(|start| name(path).starts_with(start));
            is_emptied && fs::metadata(path).is_ok_and(|found| found.len() > 0)
        };
        others.chain(beside).chain(records.filter(full)).collect()
    }
}

fn entries(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
