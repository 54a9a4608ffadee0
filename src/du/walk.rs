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

/// So many directories are entered that were made, moved or changed after the walk began, and so many are opened again on ways
/// back that somebody has changed. All others are entered once. So a walk ends, whoever makes directories ahead of it or moves them
/// there; what is left out is found by the next.
const PATIENCE: u32 = 1 << 20;

/// Entries that are looked through for one that is not where it was.
const SEARCHED: u32 = 1024;

/// Files of so many blocks (1 MiB) are remembered, as those with several names are: one that is moved ahead must not count twice.
const LARGE: u64 = 2048;

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
    known: Inodes,
    blocks: u64,
    unreadable: u64,
    /// Seconds since 1970, and nanoseconds.
    began: (i64, u32),
    /// What is left of [`PATIENCE`].
    pub(super) patience: u32,
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
        let top = open(top, c".")?;
        let found = look(top.as_fd(), c"")?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let began = (i64::try_from(now.as_secs()).unwrap_or(i64::MAX), now.subsec_nanos());
        let first = Open::new(open(top.as_fd(), c".")?, Buffer::new());
        Ok(Walk {
            top,
            mount: found.mount,
            levels: vec![Level::of(&found)],
            open: VecDeque::from([first]),
            spare: Vec::new(),
            known: Inodes::default(),
            blocks: found.blocks,
            unreadable: 0,
            began,
            patience: PATIENCE,
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

    #[cfg(test)]
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
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
        let mut found = None;
        if entry.kind != libc::DT_DIR {
            match look(directory, entry.name) {
                Ok(looked) if looked.mount == self.mount => found = Some(looked),
                // Something is mounted on it, or it is gone.
                Ok(_) => {}
                Err(e) => self.unreadable += u64::from(!is_gone(&e)),
            }
        }
        // Of what its directory does not say what it is, too.
        if entry.kind == libc::DT_DIR || found.is_some_and(|found| found.is_directory) {
            match enter(directory, entry.name)? {
                Entered::Yes(fd, below) => {
                    let (before, after) = (entry.before, entry.after);
                    self.enter(fd, &below, before, after);
                    return Ok(true);
                }
                Entered::Nothing => return Ok(true),
                Entered::NoDirectory => {}
                Entered::Unreadable => self.unreadable += 1,
            }
            found = look(directory, entry.name).ok().filter(|found| found.mount == self.mount);
        }
        if let Some(found) = found {
            self.count(&found);
        }
        Ok(true)
    }

    /// A directory is entered once: who moves it ahead of the walk gets no second one.
    fn enter(&mut self, fd: OwnedFd, found: &Looked, before: i64, after: i64) {
        if !self.known.insert(found.device, found.inode) {
            return;
        }
        self.blocks = self.blocks.saturating_add(found.blocks);
        let changed = found.changed > self.began;
        if changed && self.patience == 0 {
            return;
        }
        self.patience -= u32::from(changed);
        if let Some(level) = self.levels.last_mut() {
            (level.before, level.after) = (before, after);
        }
        self.descend(fd, found);
    }

    fn count(&mut self, found: &Looked) {
        let once = found.links < 2 && found.blocks < LARGE;
        if once || found.is_directory || self.known.insert(found.device, found.inode) {
            self.blocks = self.blocks.saturating_add(found.blocks);
        }
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
        let found = match enter(left.as_fd(), c"..")? {
            Entered::Yes(fd, found) if above.is(&found) => Some(fd),
            // Somebody moved it, or what was below it.
            _ => self.find_again()?,
        };
        let position = self.levels.last().map_or(0, |level| level.after);
        match found {
            Some(fd) => {
                let buffer = self.buffer();
                self.open.push_back(Open::from(fd, buffer, position)?);
            }
            // Not even the top can be read any more.
            None => self.levels.clear(),
        }
        Ok(())
    }

    /// Goes down from the top to the deepest level that is still where it was; those below are forgotten.
    fn find_again(&mut self) -> io::Result<Option<OwnedFd>> {
        let Entered::Yes(mut here, _) = enter(self.top.as_fd(), c".")? else {
            self.unreadable += 1;
            return Ok(None);
        };
        let mut found = 1;
        while let (Some(level), Some(next)) = (self.levels.get(found - 1).copied(), self.levels.get(found).copied()) {
            let below = if self.patience > 0 { self.below(here.as_fd(), level.before, next)? } else { None };
            let Some(below) = below else { break };
            here = below;
            found += 1;
        }
        self.levels.truncate(found);
        Ok(Some(here))
    }

    /// The directory `next`, if it is still in this one: at this position, or near it, or near the beginning. (Where positions are
    /// numbers of entries, what is made and removed meanwhile shifts them.)
    fn below(&mut self, directory: BorrowedFd<'_>, position: i64, next: Level) -> io::Result<Option<OwnedFd>> {
        for from in [position, 0] {
            let Entered::Yes(fd, _) = enter(directory, c".")? else { return Ok(None) };
            let Ok(mut list) = Open::from(fd, self.buffer(), from) else { return Ok(None) };
            let mut below = None;
            for _ in 0..SEARCHED {
                self.patience = self.patience.saturating_sub(1);
                let Ok(Some((directory, entry))) = list.next() else { break };
                if entry.inode == next.inode {
                    below = match enter(directory, entry.name)? {
                        Entered::Yes(fd, found) if next.is(&found) => Some(fd),
                        _ => None,
                    };
                    break;
                }
            }
            self.spare.push(list.into_parts().1);
            if below.is_some() {
                return Ok(below);
            }
        }
        Ok(None)
    }

    fn buffer(&mut self) -> Buffer {
        self.spare.pop().unwrap_or_else(Buffer::new)
    }
}

/// Opens a directory to be read, without a change of its access time where that is allowed: to who owns it. Nothing that is
/// mounted below is entered, nor even asked anything.
fn open(at: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    const FLAGS: i32 = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    const RESOLVE: u64 = libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
    match openat2(at, name, FLAGS | libc::O_NOATIME, 0, RESOLVE) {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => openat2(at, name, FLAGS, 0, RESOLVE),
        opened => opened,
    }
}

fn enter(at: BorrowedFd<'_>, name: &CStr) -> io::Result<Entered> {
    let opened = open(at, name).and_then(|fd| look(fd.as_fd(), c"").map(|found| (fd, found)));
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
