//! Going through a tree, a part at a time.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::SystemTime;

use super::inodes::Inodes;
use super::level::{Buffer, Level, Open};
use crate::sys::mount::openat2;
use crate::sys::{Looked, look};

/// So many of the deepest directories are open. Those above are opened again on the way back.
const WINDOW: usize = 16;

/// So many directories are entered that were made, moved or changed after the walk began, and each other one is come by at most
/// once: so a walk ends, whoever makes directories ahead of it or moves them there. What is left out is found by the next.
const CHANGED: u32 = 1 << 20;

/// A walk through a directory tree that is under way, or done.
#[derive(Debug)]
pub struct Walk {
    top: OwnedFd,
    mount: u64,
    /// From the top to where it is.
    levels: Vec<Level>,
    /// The last of them.
    open: VecDeque<Open>,
    spare: Vec<Buffer>,
    counted: Inodes,
    blocks: u64,
    unreadable: u64,
    /// Seconds since 1970, and nanoseconds.
    began: (i64, u32),
    /// How many changed directories may still be entered.
    pub(super) patience: u32,
    /// O_NOATIME, as long as it is allowed: only to who owns a directory.
    unnoticed: i32,
}

/// What became of an attempt to enter a directory.
enum Entered {
    Yes(OwnedFd, Looked),
    /// It is gone, or something is mounted on it.
    Nothing,
    /// By now it is something else.
    NoDirectory,
    Unreadable,
}

impl Walk {
    /// Begins at an open directory (O_PATH will do).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn begin(top: BorrowedFd<'_>) -> io::Result<Walk> {
        let mut unnoticed = libc::O_NOATIME;
        let top = open(top, c".", &mut unnoticed)?;
        let found = look(top.as_fd(), c"")?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let began = (i64::try_from(now.as_secs()).unwrap_or(i64::MAX), now.subsec_nanos());
        let first = Open::new(open(top.as_fd(), c".", &mut unnoticed)?, Buffer::new());
        Ok(Walk {
            top,
            mount: found.mount,
            levels: vec![Level::of(&found)],
            open: VecDeque::from([first]),
            spare: Vec::new(),
            counted: Inodes::default(),
            blocks: found.blocks,
            unreadable: 0,
            began,
            patience: CHANGED,
            unnoticed,
        })
    }

    /// Goes on for so many entries of directories; true when there are no more.
    ///
    /// # Errors
    /// Want of descriptors or memory. What cannot be read is left out, and [`Walk::unreadable`] says how much that is.
    pub fn advance(&mut self, entries: u32) -> io::Result<bool> {
        for _ in 0..entries {
            if !self.one()? {
                self.leave()?;
                if self.levels.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What was counted so far, in bytes, rounded up to whole KiB as `du -k` does.
    pub fn bytes(&self) -> u64 {
        self.blocks.div_ceil(2).saturating_mul(1024)
    }

    /// How many directories and files could not be looked at.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    #[cfg(test)]
    pub(super) fn descriptors(&self) -> usize {
        self.open.len() + 1
    }

    /// Counts the next entry of the deepest directory; false when it has no more.
    fn one(&mut self) -> io::Result<bool> {
        let Some(here) = self.open.back_mut() else { return Ok(false) };
        let (directory, entry) = match here.next() {
            Ok(Some(found)) => found,
            // ENOENT: somebody removed it meanwhile.
            Ok(None) => return Ok(false),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Ok(false),
            Err(_) => {
                self.unreadable += 1;
                return Ok(false);
            }
        };
        if matches!(entry.name.to_bytes(), b"." | b"..") {
            return Ok(true);
        }
        let mut entered = match entry.kind {
            libc::DT_DIR => enter(directory, entry.name, &mut self.unnoticed)?,
            _ => Entered::NoDirectory,
        };
        if !matches!(entered, Entered::Yes(..) | Entered::Nothing) {
            let found = match look(directory, entry.name) {
                Ok(found) if found.mount == self.mount => found,
                // Something is mounted on it.
                Ok(_) => return Ok(true),
                Err(e) => {
                    self.unreadable += u64::from(!is_gone(&e));
                    return Ok(true);
                }
            };
            match entered {
                // Its directory did not say, or it has just become one.
                Entered::NoDirectory if found.is_directory => {
                    entered = enter(directory, entry.name, &mut self.unnoticed)?;
                }
                Entered::Unreadable => {
                    self.unreadable += 1;
                    self.blocks = self.blocks.saturating_add(found.blocks);
                }
                _ if found.links < 2 || self.counted.insert(found.device, found.inode) => {
                    self.blocks = self.blocks.saturating_add(found.blocks);
                }
                _ => {}
            }
        }
        if let Entered::Yes(fd, found) = entered {
            self.blocks = self.blocks.saturating_add(found.blocks);
            let changed = found.changed > self.began;
            if !changed || self.patience > 0 {
                self.patience -= u32::from(changed);
                if let Some(level) = self.levels.last_mut() {
                    (level.before, level.after) = (entry.before, entry.after);
                }
                self.descend(fd, &found);
            }
        }
        Ok(true)
    }

    fn descend(&mut self, fd: OwnedFd, found: &Looked) {
        if self.open.len() == WINDOW
            && let Some(oldest) = self.open.pop_front()
        {
            self.spare.push(oldest.into_parts().1);
        }
        let buffer = self.buffer();
        self.levels.push(Level::of(found));
        self.open.push_back(Open::new(fd, buffer));
    }

    /// Goes back to the directory above.
    fn leave(&mut self) -> io::Result<()> {
        self.levels.pop();
        let Some((left, buffer)) = self.open.pop_back().map(Open::into_parts) else { return Ok(()) };
        self.spare.push(buffer);
        let Some(above) = self.levels.last().copied().filter(|_| self.open.is_empty()) else { return Ok(()) };
        let found = open(left.as_fd(), c"..", &mut self.unnoticed)
            .and_then(|fd| look(fd.as_fd(), c"").map(|found| (fd, found)))
            .ok()
            .filter(|(_, found)| above.is(found));
        // Not there: somebody moved it, or what was below it.
        let fd = match found {
            Some((fd, _)) => fd,
            None => self.find_again()?,
        };
        let position = self.levels.last().map_or(0, |level| level.after);
        let buffer = self.buffer();
        self.open.push_back(Open::from(fd, buffer, position)?);
        Ok(())
    }

    /// Goes down from the top to the deepest level that is still where it was; those below are forgotten.
    fn find_again(&mut self) -> io::Result<OwnedFd> {
        let mut here = open(self.top.as_fd(), c".", &mut self.unnoticed)?;
        let mut found = 1;
        while let (Some(level), Some(next)) = (self.levels.get(found - 1).copied(), self.levels.get(found).copied()) {
            let Some(below) = self.below(here.as_fd(), level.before, next)? else { break };
            here = below;
            found += 1;
        }
        self.levels.truncate(found);
        Ok(here)
    }

    /// The directory `next`, if it is still the entry at this position.
    fn below(&mut self, directory: BorrowedFd<'_>, position: i64, next: Level) -> io::Result<Option<OwnedFd>> {
        let fd = open(directory, c".", &mut self.unnoticed)?;
        let Ok(mut list) = Open::from(fd, self.buffer(), position) else { return Ok(None) };
        let below = match list.next() {
            Ok(Some((directory, entry))) => match enter(directory, entry.name, &mut self.unnoticed)? {
                Entered::Yes(fd, found) if next.is(&found) => Some(fd),
                _ => None,
            },
            _ => None,
        };
        self.spare.push(list.into_parts().1);
        Ok(below)
    }

    fn buffer(&mut self) -> Buffer {
        self.spare.pop().unwrap_or_else(Buffer::new)
    }
}

/// Opens a directory to be read. Nothing that is mounted below is entered, nor even asked anything.
fn open(at: BorrowedFd<'_>, name: &CStr, unnoticed: &mut i32) -> io::Result<OwnedFd> {
    const FLAGS: i32 = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    const RESOLVE: u64 = libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
    match openat2(at, name, FLAGS | *unnoticed, 0, RESOLVE) {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) && *unnoticed != 0 => {
            *unnoticed = 0;
            openat2(at, name, FLAGS, 0, RESOLVE)
        }
        opened => opened,
    }
}

fn enter(at: BorrowedFd<'_>, name: &CStr, unnoticed: &mut i32) -> io::Result<Entered> {
    let opened = open(at, name, unnoticed).and_then(|fd| look(fd.as_fd(), c"").map(|found| (fd, found)));
    match opened {
        Ok((fd, found)) => Ok(Entered::Yes(fd, found)),
        Err(e) => match e.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOSYS) => Err(e),
            Some(libc::EXDEV) => Ok(Entered::Nothing),
            Some(libc::ENOTDIR | libc::ELOOP) => Ok(Entered::NoDirectory),
            _ if is_gone(&e) => Ok(Entered::Nothing),
            _ => Ok(Entered::Unreadable),
        },
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESTALE))
}
