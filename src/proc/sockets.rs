//! Which sockets a process has open.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::fstatat;

use super::{Proc, Stat};

/// A descriptor of a process's that is a socket.
#[derive(Debug)]
pub struct OpenSocket<'a> {
    /// The socket's number. It comes from a counter of 32 bits that all networks and pipes share and that wraps: two sockets
    /// may have the same.
    pub inode: u32,
    table: &'a fs::File,
    name: &'a OsStr,
}

impl OpenSocket<'_> {
    /// The descriptor's number.
    pub fn number(&self) -> Option<i32> {
        self.name.to_str()?.parse().ok()
    }

    /// The account that the socket is of: who made it, unless it was given away.
    ///
    /// # Errors
    /// ENOENT: it is not open any more. EACCES.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstatat(self.table, self.name, AtFlags::empty())?.st_uid)
    }
}

impl Proc {
    /// Calls `each` with every socket that the process has open; as often as it has it open. One that has ended, or is another
    /// by now, has none.
    ///
    /// A thread may have descriptors of its own (unshare(2), CLONE_FILES): those are not looked at.
    ///
    /// # Errors
    /// When it may not be looked at: EACCES for another account's process, and for one that is not dumpable.
    pub fn sockets(&self, process: &Stat, mut each: impl FnMut(&OpenSocket<'_>)) -> io::Result<()> {
        let own = self.root.join(process.pid.to_string());
        let looked = if process.state == 'Z' { self.by_threads(&own, &mut each) } else { list(&own, &mut each) };
        match looked {
            Err(e) if self.start_time(process.pid) == Some(process.starttime) && !self.is_over(process.pid) => Err(e),
            _ => Ok(()),
        }
    }

    fn is_over(&self, pid: i32) -> bool {
        self.stat(pid).is_none_or(|stat| Proc::has_ended(&stat))
    }

    /// A main thread that has ended has no descriptors any more, and the others go on.
    fn by_threads(&self, process: &Path, each: &mut impl FnMut(&OpenSocket<'_>)) -> io::Result<()> {
        let mut looked = Ok(());
        for thread in fs::read_dir(process.join("task"))?.flatten() {
            looked = list(&thread.path(), each);
        }
        looked
    }
}

/// Those of a process or thread.
fn list(process: &Path, each: &mut impl FnMut(&OpenSocket<'_>)) -> io::Result<()> {
    let table = process.join("fd");
    // By the directory, so that the kernel does not look for the process again with each of them.
    let directory = fs::File::open(&table)?;
    for entry in fs::read_dir(&table)? {
        let name = entry?.file_name();
        // One that was closed meanwhile is not open.
        let Ok(target) = readlinkat(&directory, name.as_os_str()) else { continue };
        if let Some(inode) = inode(target.as_bytes()) {
            each(&OpenSocket { inode, table: &directory, name: &name });
        }
    }
    Ok(())
}

fn inode(target: &[u8]) -> Option<u32> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn of(proc: &Proc, pid: i32) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        proc.sockets(&proc.stat(pid).unwrap(), |open| found.push(open.inode))?;
        found.sort_unstable();
        Ok(found)
    }

    fn stat(pid: i32, state: char, threads: i64) -> String {
        format!("{pid} (x) {state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 99 0 0{}\n", " 0".repeat(28))
    }

    #[test]
    fn this_process_has_the_socket_that_it_opened() {
        let proc = Proc::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap().ino() as u32;
        let pid = std::process::id() as i32;
        assert!(of(&proc, pid).unwrap().contains(&inode));
        let mut its = None;
        proc.sockets(&proc.stat(pid).unwrap(), |open| {
            if open.inode == inode {
                its = Some((open.number(), open.owner().unwrap()));
            }
        })
        .unwrap();
        assert_eq!(its, Some((Some(listener.as_raw_fd()), nix::unistd::geteuid().as_raw())));
        drop(listener);
        assert!(!of(&proc, pid).unwrap().contains(&inode));
    }

    #[test]
    fn sockets_are_told_from_all_else_that_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let fd = dir.path().join("7/fd");
        fs::create_dir_all(&fd).unwrap();
        fs::write(dir.path().join("7/stat"), stat(7, 'S', 1)).unwrap();
        let targets =
            ["socket:[12]", "socket:[4294967295]", "socket:[4294967296]", "socket:[]", "/tmp/socket:[3]", "pipe:[5]"];
        for (number, target) in targets.iter().enumerate() {
            symlink(target, fd.join(number.to_string())).unwrap();
        }
        assert_eq!(of(&Proc::at(dir.path()), 7).unwrap(), [12, u32::MAX]);
    }

    #[test]
    fn a_process_whose_main_thread_has_ended_still_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let fd = dir.path().join("7/task/8/fd");
        fs::create_dir_all(&fd).unwrap();
        fs::create_dir_all(dir.path().join("7/fd")).unwrap();
        fs::write(dir.path().join("7/stat"), stat(7, 'Z', 2)).unwrap();
        symlink("socket:[12]", fd.join("3")).unwrap();
        assert_eq!(of(&Proc::at(dir.path()), 7).unwrap(), [12]);
    }

    #[test]
    fn who_has_ended_has_none_and_who_cannot_be_looked_at_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Proc::at(dir.path());
        fs::create_dir(dir.path().join("7")).unwrap();
        fs::write(dir.path().join("7/stat"), stat(7, 'S', 1)).unwrap();
        let found = proc.stat(7).unwrap();
        let sockets = || {
            let mut count = 0;
            proc.sockets(&found, |_| count += 1).inspect(|()| assert_eq!(count, 0))
        };
        assert!(sockets().is_err(), "it runs, and nothing is known of its descriptors");
        fs::write(dir.path().join("7/stat"), stat(7, 'Z', 1)).unwrap();
        sockets().unwrap();
        fs::write(dir.path().join("7/stat"), stat(7, 'S', 1).replace(" 99 ", " 100 ")).unwrap();
        sockets().unwrap();
        fs::remove_dir_all(dir.path().join("7")).unwrap();
        sockets().unwrap();
    }
}
