//! Whose turn it is to walk through directories: at most so many processes do so at the same time on the host, and who came
//! first goes first.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;

use crate::error::{Error, Result};

/// Right below runtime_dir: for all agents that share that.
const FILE: &str = "disk-walkers";

/// Where they are given out, opened for one walker. The file is empty: its bytes are only locked, the first one by who is next in
/// turn, each of the others by who walks. The kernel lets those who wait for a lock have it one after the other. A lock is the open
/// file's, which the supervisor and its walker share: it ends with both of them, or when one of them says so.
#[derive(Debug)]
pub(super) struct Turns {
    file: File,
    path: PathBuf,
    walkers: u64,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    byte: i64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = lock(&self.turns.file, libc::F_UNLCK, self.byte, 1, false);
        self.turns.tell();
    }
}

/// Who is next looks again after so long if it cannot be told (a host has 128 inotify instances for each user).
const PAUSE: Duration = Duration::from_millis(10);

/// And if it can, in milliseconds: when a process is killed, the kernel tells of its files' being closed before it lets go of their locks.
const LONG: u8 = 100;

const NEXT: i64 = 0;

impl Turns {
    /// As many turns at a time as `walkers`; others may think of another number.
    ///
    /// # Errors
    /// When the file cannot be opened or made.
    pub(super) fn open(runtime_dir: &Path, walkers: u64) -> Result<Turns> {
        let path = runtime_dir.join(FILE);
        let open = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        Ok(Turns { file: open.map_err(Error::path("open", &path))?, path, walkers })
    }

    /// The same, in the process that walks: with its own descriptor of the same open file.
    pub(super) fn of_walker(file: OwnedFd, path: PathBuf, walkers: u64) -> Turns {
        Turns { file: file.into(), path, walkers }
    }

    /// What [`Turns::of_walker`] takes.
    ///
    /// # Errors
    /// Want of descriptors.
    pub(super) fn for_walker(&self) -> Result<(OwnedFd, PathBuf, u64)> {
        let file = self.file.try_clone().map_err(Error::path("duplicate the descriptor of", &self.path))?;
        Ok((file.into(), self.path.clone(), self.walkers))
    }

    /// Waits until it is this process's turn, however long that may be.
    ///
    /// # Errors
    /// When the file cannot be locked.
    pub(super) fn take(&self) -> Result<Turn<'_>> {
        let failed = |errno: Errno| Error::path("lock", &self.path)(errno.into());
        lock(&self.file, libc::F_WRLCK, NEXT, 1, true).map_err(failed)?;
        let mut told = None;
        loop {
            for byte in 1..=i64::try_from(self.walkers).unwrap_or(i64::MAX) {
                match lock(&self.file, libc::F_WRLCK, byte, 1, false) {
                    Ok(()) => {
                        lock(&self.file, libc::F_UNLCK, NEXT, 1, false).map_err(failed)?;
                        return Ok(Turn { turns: self, byte });
                    }
                    Err(Errno::EAGAIN | Errno::EACCES) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
            match &told {
                // Once more around: somebody may have given up a turn before it was watched.
                None => told = Some(self.watch()),
                Some(Some(watch)) => wait(watch),
                Some(None) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Takes its turn, or its place among those who wait, from a walker that is to walk no more: one that hangs on a disk cannot
    /// even be killed, and others must not wait for it.
    pub(super) fn take_away(&self) {
        let _ = lock(&self.file, libc::F_UNLCK, 0, 0, false);
        self.tell();
    }

    /// By a change of the file's times, of which [`Turns::watch`] hears.
    fn tell(&self) {
        let _ = futimens(&self.file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
    }

    /// Tells of everybody who gives up a turn, or ends.
    fn watch(&self) -> Option<Inotify> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
        watch.add_watch(&self.path, AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_CLOSE).ok()?;
        Some(watch)
    }
}

fn wait(watch: &Inotify) {
    let _ = poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LONG));
    let _ = watch.read_events();
}

/// Locks bytes for the open file, not for the process; a length of 0: to the end.
fn lock(file: &File, kind: i32, byte: i64, length: i64, wait: bool) -> nix::Result<()> {
    let what = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: length,
        l_pid: 0,
    };
    loop {
        let asked = if wait { FcntlArg::F_OFD_SETLKW(&what) } else { FcntlArg::F_OFD_SETLK(&what) };
        match fcntl(file, asked) {
            Err(Errno::EINTR) => {}
            done => return done.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Instant;

    #[test]
    fn never_more_than_so_many_and_nobody_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (now, most, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..24 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let turns = Turns::open(dir.path(), 3).unwrap();
                        let turn = turns.take().unwrap();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(Duration::from_micros(300));
                        now.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!((most.into_inner(), done.into_inner()), (3, 240));
    }

    /// How many have, or wait for, the place of who is next.
    fn queue(turns: &Turns) -> usize {
        let of_file = format!(":{} 0 0", turns.file.metadata().unwrap().ino());
        std::fs::read_to_string("/proc/locks").unwrap().lines().filter(|line| line.ends_with(&of_file)).count()
    }

    fn until(is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < end);
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn who_came_first_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::open(dir.path(), 1).unwrap();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = turns.take().unwrap();
            for number in 0..8 {
                let (dir, order) = (&dir, &order);
                scope.spawn(move || {
                    let turns = Turns::open(dir.path(), 1).unwrap();
                    let turn = turns.take().unwrap();
                    order.lock().unwrap().push(number);
                    drop(turn);
                });
                until(|| queue(&turns) == number + 1);
            }
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_turn_passes_on_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let turns = Turns::open(dir.path(), 1).unwrap();
                    (0..100).for_each(|_| drop(turns.take().unwrap()));
                });
            }
        });
        // 400 waits of 100 ms would take forty seconds.
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    }

    #[test]
    fn a_turn_can_be_taken_from_who_does_not_give_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let supervisor = Turns::open(dir.path(), 1).unwrap();
        let (file, path, walkers) = supervisor.for_walker().unwrap();
        let hanging = Turns::of_walker(file, path, walkers);
        std::mem::forget(hanging.take().unwrap());
        let other = Turns::open(dir.path(), 1).unwrap();
        assert_eq!(lock(&other.file, libc::F_WRLCK, 1, 1, false), Err(Errno::EAGAIN));
        supervisor.take_away();
        drop(other.take().unwrap());
    }
}
