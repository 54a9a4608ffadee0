//! Whose turn it is to walk through directories: at most so many processes do so at the same time on the host, and who came
//! first goes first.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::error::{Error, Result};

/// Right below runtime_dir: for all agents that share that.
const FILE: &str = "disk-walkers";

/// Where they are given out. The file is empty: its bytes are only locked, the first one by who is next in turn, each of the
/// others by who walks. The kernel lets those who wait for a lock have it one after the other, and lets go of those of the dead.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    file: PathBuf,
    walkers: u64,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    file: File,
    byte: i64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Whoever hears of the file's being closed must find the lock gone.
        let _ = lock(&self.file, libc::F_UNLCK, self.byte, false);
    }
}

/// Who is next looks again after so long if it cannot be told (a host has 128 inotify instances for each user).
const PAUSE: Duration = Duration::from_millis(10);

/// And if it can, in milliseconds: when a process is killed, the kernel tells of its files' being closed before it lets go of their locks.
const LONG: u8 = 100;

const NEXT: i64 = 0;

impl Turns {
    /// As many turns at a time as `walkers`; others may think of another number.
    pub(super) fn new(runtime_dir: &Path, walkers: u64) -> Turns {
        Turns { file: runtime_dir.join(FILE), walkers }
    }

    /// Waits until it is this process's turn, however long that may be.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub(super) fn take(&self) -> Result<Turn> {
        let open = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.file);
        let file = open.map_err(Error::path("open", &self.file))?;
        let failed = |errno: Errno| Error::path("lock", &self.file)(errno.into());
        lock(&file, libc::F_WRLCK, NEXT, true).map_err(failed)?;
        let mut told = None;
        loop {
            for walker in 1..=i64::try_from(self.walkers).unwrap_or(i64::MAX) {
                match lock(&file, libc::F_WRLCK, walker, false) {
                    Ok(()) => {
                        lock(&file, libc::F_UNLCK, NEXT, false).map_err(failed)?;
                        return Ok(Turn { file, byte: walker });
                    }
                    Err(Errno::EAGAIN | Errno::EACCES) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
            match &told {
                // Once more around: somebody may have closed the file before it was watched.
                None => told = Some(self.watch()),
                Some(Some(watch)) => wait(watch),
                Some(None) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Gives the turn back and waits for the next one.
    ///
    /// # Errors
    /// As [`Turns::take`]; the turn is then gone.
    pub(super) fn pass_on(&self, turn: Turn) -> Result<Turn> {
        drop(turn);
        self.take()
    }

    /// Tells of everybody who closes the file, or ends.
    fn watch(&self) -> Option<Inotify> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
        watch.add_watch(&self.file, AddWatchFlags::IN_CLOSE).ok()?;
        Some(watch)
    }
}

fn wait(watch: &Inotify) {
    let _ = poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LONG));
    let _ = watch.read_events();
}

/// A lock of the open file, not of the process, so that a test's threads can be each other's rivals.
fn lock(file: &File, kind: i32, byte: i64, wait: bool) -> nix::Result<()> {
    let what = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
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
                        let turn = Turns::new(dir.path(), 3).take().unwrap();
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

    #[test]
    fn who_came_first_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::new(dir.path(), 1);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = turns.take().unwrap();
            for number in 0..8 {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let turn = turns.take().unwrap();
                    order.lock().unwrap().push(number);
                    drop(turn);
                });
                // Until it waits, for the turn or for being next.
                thread::sleep(Duration::from_millis(100));
            }
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_turn_passes_on_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::new(dir.path(), 1);
        let begin = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| drop(turns.take().unwrap())));
            }
        });
        // 400 waits of 10 ms would take four seconds.
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
}
