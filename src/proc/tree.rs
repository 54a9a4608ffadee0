//! The processes below a process.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};

use super::{Proc, Stat};

impl Proc {
    /// The threads of `pid`, its first one among them. Empty when it is gone.
    pub fn threads(&self, pid: i32) -> Vec<i32> {
        let tasks = fs::read_dir(self.root.join(format!("{pid}/task"))).into_iter().flatten().flatten();
        tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
    }

    /// The children of `pid`: those of each of its threads. Empty when it is gone.
    ///
    /// Reads task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN), else every process's stat line.
    pub fn children(&self, pid: i32) -> Vec<i32> {
        let Ok(tasks) = fs::read_dir(self.root.join(format!("{pid}/task"))) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for task in tasks.flatten() {
            match fs::read_to_string(task.path().join("children")) {
                Ok(text) => found.extend(text.split_ascii_whitespace().filter_map(|t| t.parse::<i32>().ok())),
                Err(e) if e.kind() == io::ErrorKind::NotFound && self.lacks_children_files() => {
                    return self.children_by_scan(pid);
                }
                Err(_) => {}
            }
        }
        found
    }

    fn children_of_thread(&self, pid: i32, thread: i32) -> Option<Vec<i32>> {
        let mut text = String::with_capacity(1024);
        let file = fs::File::open(self.root.join(format!("{pid}/task/{thread}/children")));
        file.ok()?.read_to_string(&mut text).ok()?;
        Some(text.split_ascii_whitespace().filter_map(|t| t.parse().ok()).collect())
    }

    /// NotFound may also mean that the thread ended; this process's own file decides.
    fn lacks_children_files(&self) -> bool {
        !self.root.join("thread-self/children").exists()
    }

    fn children_by_scan(&self, parent: i32) -> Vec<i32> {
        let pids = self.pids().unwrap_or_default();
        pids.into_iter().filter(|pid| self.stat(*pid).is_some_and(|s| s.ppid == parent)).collect()
    }

    /// `top` and everything below it, parents first, each with its stat line as it was when it was read. Processes that
    /// come or go meanwhile may be missed.
    pub fn tree(&self, top: i32) -> Vec<Stat> {
        let mut found: Vec<Stat> = self.stat(top).into_iter().collect();
        // A process that is said to be below itself would be walked through for ever.
        let mut known: HashSet<i32> = found.iter().map(|stat| stat.pid).collect();
        let mut next = 0;
        while let Some((parent, threads)) = found.get(next).map(|s| (s.pid, s.num_threads)) {
            // The usual case without listing its threads.
            let single = (threads == 1).then(|| self.children_of_thread(parent, parent)).flatten();
            for child in single.unwrap_or_else(|| self.children(parent)) {
                // A recycled pid would be somebody else's child.
                if let Some(stat) = self.stat(child).filter(|s| s.ppid == parent)
                    && known.insert(stat.pid)
                {
                    found.push(stat);
                }
            }
            next += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    fn fake(root: &std::path::Path, pid: i32, ppid: i32) {
        let real = fs::read_to_string("/proc/self/stat").unwrap();
        let rest: Vec<&str> = real[real.rfind(')').unwrap() + 2..].splitn(3, ' ').collect();
        let dir = root.join(format!("{pid}/task/{pid}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(root.join(format!("{pid}/stat")), format!("{pid} (x) S {ppid} {}", rest[2])).unwrap();
    }

    #[test]
    fn walks_by_children_files_and_without_them() {
        let dir = tempfile::tempdir().unwrap();
        for (pid, ppid) in [(10, 1), (11, 10), (12, 11), (13, 1)] {
            fake(dir.path(), pid, ppid);
        }
        let proc = Proc::at(dir.path());
        let pids = |list: Vec<Stat>| list.iter().map(|s| s.pid).collect::<Vec<_>>();
        assert_eq!(pids(proc.tree(10)), [10, 11, 12]);
        // With the files: 13 stands in one although it is (by now) somebody else's child.
        fs::create_dir_all(dir.path().join("thread-self")).unwrap();
        fs::write(dir.path().join("thread-self/children"), "").unwrap();
        fs::write(dir.path().join("10/task/10/children"), "11 13 ").unwrap();
        fs::write(dir.path().join("11/task/11/children"), "12 99 ").unwrap();
        assert_eq!(pids(proc.tree(10)), [10, 11, 12]);
        assert!(proc.tree(99).is_empty());
    }

    #[test]
    fn what_is_said_to_be_below_itself_is_walked_through_once() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), 10, 11);
        fake(dir.path(), 11, 10);
        fs::write(dir.path().join("10/task/10/children"), "11 11 ").unwrap();
        fs::write(dir.path().join("11/task/11/children"), "10 ").unwrap();
        assert_eq!(Proc::at(dir.path()).tree(10).len(), 2);
    }

    #[test]
    fn finds_a_real_child() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let me = std::process::id() as i32;
        let tree = Proc::default().tree(me);
        assert!(tree.iter().any(|s| s.pid == child.id() as i32));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
