//! What /proc says about processes. The root is a parameter, so that all of this is tested on fake trees.
#![forbid(unsafe_code)]

mod sockets;
mod tree;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use procfs::FromRead;
pub use procfs::process::Stat;
pub use sockets::OpenSocket;

use crate::error::{Error, Result};

/// A process environment is bounded by the kernel to a quarter of the stack limit; more than this is not searched.
const ENVIRON_LIMIT: u64 = 8 << 20;

/// Reads a file of one line in one read(2), as the kernel gives it. (The standard library asks for its length first, which the
/// kernel does not know, and reads twice.)
fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 2048];
    let length = File::open(path)?.read(&mut text)?;
    text.truncate(length);
    Ok(text)
}

/// Whether there is a name in a stat line, in parentheses and with a space on either side, and something behind it: as procfs takes
/// for granted.
fn has_a_name(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let begin = line.windows(2).position(|pair| pair == b" (");
    let end = line.windows(2).rposition(|pair| pair == b") ");
    let first = |wanted: u8| line.iter().position(|byte| *byte == wanted);
    let last = |wanted: u8| line.iter().rposition(|byte| *byte == wanted);
    // It looks at the line without blanks of any kind around it.
    let is_state = |end: usize| line.get(end + 2).is_some_and(u8::is_ascii_alphabetic);
    let is_line = line.first().is_some_and(u8::is_ascii_digit) && end.is_some_and(is_state);
    // procfs goes by the first and the last of them.
    let between = |(begin, end)| begin < end && first(b'(') == Some(begin + 1) && last(b')') == Some(end);
    is_line && begin.zip(end).is_some_and(between)
}

/// A mounted proc file system.
#[derive(Debug, Clone)]
pub struct Proc {
    root: PathBuf,
}

impl Default for Proc {
    fn default() -> Self {
        Proc::at("/proc")
    }
}

impl Proc {
    /// The proc file system at `root`.
    pub fn at(root: impl AsRef<Path>) -> Proc {
        Proc { root: root.as_ref().to_path_buf() }
    }

    /// The stat line of `pid`; None when there is no such process.
    pub fn stat(&self, pid: i32) -> Option<Stat> {
        let line = read_small(&self.root.join(format!("{pid}/stat"))).ok()?;
        if has_a_name(&line) { Stat::from_read(&line[..]).ok() } else { None }
    }

    /// Whether all of the process has ended. One whose main thread alone has ended is shown as a zombie too, and runs on.
    pub fn has_ended(stat: &Stat) -> bool {
        matches!(stat.state, 'Z' | 'X' | 'x') && stat.num_threads <= 1
    }

    /// Clock ticks after boot at which `pid` started, which with the pid names a process within one boot.
    pub fn start_time(&self, pid: i32) -> Option<u64> {
        self.stat(pid).map(|s| s.starttime)
    }

    /// Who traces `pid`.
    pub fn tracer(&self, pid: i32) -> Option<i32> {
        let text = fs::read_to_string(self.root.join(format!("{pid}/status"))).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        line?.trim().parse().ok().filter(|by| *by != 0)
    }

    /// The id that the kernel drew at this boot.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn boot_id(&self) -> Result<String> {
        let path = self.root.join("sys/kernel/random/boot_id");
        let text = read_small(&path).map_err(Error::path("read the boot id from", &path))?;
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// A new UUID of random bits, as the kernel makes them.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn random_uuid(&self) -> Result<String> {
        let path = self.root.join("sys/kernel/random/uuid");
        let text = read_small(&path).map_err(Error::path("read a random id from", &path))?;
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// All pids that are listed.
    ///
    /// # Errors
    /// When /proc cannot be listed.
    pub fn pids(&self) -> Result<Vec<i32>> {
        let entries = fs::read_dir(&self.root).map_err(Error::path("list", &self.root))?;
        Ok(entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect())
    }

    /// Whether the environment that `pid` was executed with has exactly the entry `NAME=value`.
    pub fn has_environment(&self, pid: i32, entry: &str) -> bool {
        let read = |path: PathBuf| -> io::Result<Vec<u8>> {
            let mut text = Vec::new();
            File::open(path)?.take(ENVIRON_LIMIT).read_to_end(&mut text)?;
            Ok(text)
        };
        let has = |text: &[u8]| text.split(|b| *b == 0).any(|e| e == entry.as_bytes());
        match read(self.root.join(format!("{pid}/environ"))) {
            // Empty where the main thread has ended; the other threads still show it.
            Ok(text) if text.is_empty() => {
                let tasks = fs::read_dir(self.root.join(format!("{pid}/task"))).into_iter().flatten().flatten();
                tasks.into_iter().any(|task| read(task.path().join("environ")).is_ok_and(|text| has(&text)))
            }
            Ok(text) => has(&text),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hostile_command_name_does_not_hide_a_process() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("7")).unwrap();
        let real = fs::read(format!("/proc/{}/stat", std::process::id())).unwrap();
        let end = real.iter().rposition(|b| *b == b')').unwrap();
        let mut fake = b"7 (a) S 1 \xff\n(".to_vec();
        fake.extend_from_slice(&real[end..]);
        fs::write(dir.path().join("7/stat"), fake).unwrap();
        let stat = Proc::at(dir.path()).stat(7).unwrap();
        assert_eq!(stat.ppid, Proc::default().stat(std::process::id() as i32).unwrap().ppid);
    }

    #[test]
    fn what_is_no_stat_line_is_no_process() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("7")).unwrap();
        for text in
            ["", "(x) S 1", "7 )x( S 1", "7 (x)", "7 (x)\u{e4} 1", "\u{e4}(x) S 1", "7 ) (", "7 (x) ", "7 (x) S 1"]
        {
            fs::write(dir.path().join("7/stat"), text).unwrap();
            assert!(Proc::at(dir.path()).stat(7).is_none(), "{text}");
        }
    }

    #[test]
    fn a_tracer_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (pid, by) in [(7, 0), (8, 42)] {
            fs::create_dir(dir.path().join(pid.to_string())).unwrap();
            let text = format!("Name:\tTracerPid: 1\nPid:\t{pid}\nTracerPid:\t{by}\n");
            fs::write(dir.path().join(format!("{pid}/status")), text).unwrap();
        }
        let proc = Proc::at(dir.path());
        assert_eq!((proc.tracer(7), proc.tracer(8), proc.tracer(9)), (None, Some(42), None));
    }

    #[test]
    fn environment_entries_match_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("7")).unwrap();
        fs::write(dir.path().join("7/environ"), b"X=MESOS_CONTAINER_ID=a\0MESOS_CONTAINER_ID=ab\0").unwrap();
        let proc = Proc::at(dir.path());
        assert!(proc.has_environment(7, "MESOS_CONTAINER_ID=ab"));
        assert!(!proc.has_environment(7, "MESOS_CONTAINER_ID=a"));
        assert!(!proc.has_environment(8, "MESOS_CONTAINER_ID=a"));
        assert_eq!(proc.pids().unwrap(), [7]);
    }
}
