//! One directory on the way down: what is remembered of it, and while it is open what was read of it.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::unistd::{Whence, lseek};

use crate::sys::{Looked, entries};

/// What it takes to find a directory again, and to go on behind the entry that was gone down into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// The position of that entry.
    pub(super) before: i64,
    /// The position behind it.
    pub(super) after: i64,
}

impl Level {
    pub(super) fn of(found: &Looked) -> Level {
        Level { device: found.device, inode: found.inode, before: 0, after: 0 }
    }

    pub(super) fn is(&self, found: &Looked) -> bool {
        (self.device, self.inode) == (found.device, found.inode)
    }
}

/// The longest name takes 280 bytes; more at once are fewer system calls.
const BUFFER: usize = 32 << 10;

/// Room for entries, to be used again.
#[derive(Debug)]
pub(super) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer(vec![0; BUFFER].into())
    }
}

/// An open directory.
#[derive(Debug)]
pub(super) struct Open {
    fd: OwnedFd,
    buffer: Buffer,
    filled: usize,
    /// Where in the buffer the next entry is.
    at: usize,
    /// The position of the next entry in the directory.
    position: i64,
}

/// A name in a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a CStr,
    /// As the directory has it; of a mount point, that of what is below the mount.
    pub(super) inode: u64,
    /// `DT_*`.
    pub(super) kind: u8,
    pub(super) before: i64,
    pub(super) after: i64,
}

// Of struct linux_dirent64: u64 inode, i64 position behind it, u16 length of the entry, u8 kind, name with a NUL.
const POSITION: usize = 8;
const LENGTH: usize = 16;
const KIND: usize = 18;
const NAME: usize = 19;

impl Open {
    /// From the beginning.
    pub(super) fn new(fd: OwnedFd, buffer: Buffer) -> Open {
        Open { fd, buffer, filled: 0, at: 0, position: 0 }
    }

    /// From a position of [`Entry`].
    pub(super) fn from(fd: OwnedFd, buffer: Buffer, position: i64) -> io::Result<Open> {
        lseek(&fd, position, Whence::SeekSet)?;
        Ok(Open { position, ..Open::new(fd, buffer) })
    }

    pub(super) fn into_parts(self) -> (OwnedFd, Buffer) {
        (self.fd, self.buffer)
    }

    /// The next entry, with the directory; None: there is none.
    pub(super) fn next(&mut self) -> io::Result<Option<(BorrowedFd<'_>, Entry<'_>)>> {
        if self.at >= self.filled {
            self.filled = entries(self.fd.as_fd(), &mut self.buffer.0)?;
            self.at = 0;
        }
        let here = self.buffer.0.get(self.at..self.filled).unwrap_or_default();
        let Some(entry) = parse(here, self.position) else {
            return Ok(None);
        };
        self.at += entry.1;
        self.position = entry.0.after;
        Ok(Some((self.fd.as_fd(), entry.0)))
    }
}

/// The first entry and its length. None: there is none, or it is not whole, which the kernel never hands out.
fn parse(bytes: &[u8], before: i64) -> Option<(Entry<'_>, usize)> {
    let inode = u64::from_ne_bytes(*bytes.first_chunk()?);
    let after = i64::from_ne_bytes(*bytes.get(POSITION..)?.first_chunk()?);
    let length = usize::from(u16::from_ne_bytes(*bytes.get(LENGTH..)?.first_chunk()?));
    let name = CStr::from_bytes_until_nul(bytes.get(NAME..length)?).ok()?;
    Some((Entry { name, inode, kind: *bytes.get(KIND)?, before, after }, length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::fs::File;

    #[test]
    fn a_directory_is_read_on_from_any_entry() {
        let dir = tempfile::tempdir().unwrap();
        (0..2000).for_each(|n| drop(File::create(dir.path().join(format!("a name of some length {n}"))).unwrap()));
        let open = || File::open(dir.path()).unwrap().into();
        let mut all = Vec::new();
        let mut whole = Open::new(open(), Buffer::new());
        while let Some((_, entry)) = whole.next().unwrap() {
            all.push((entry.name.to_owned(), entry.before, entry.after));
        }
        assert_eq!(all.len(), 2002);
        for (at, (name, before, after)) in all.iter().enumerate().step_by(97) {
            let first = |position| {
                let mut part = Open::from(open(), Buffer::new(), position).unwrap();
                part.next().unwrap().map(|(_, entry)| entry.name.to_owned())
            };
            assert_eq!(first(*before).as_ref(), Some(name));
            assert_eq!(first(*after), all.get(at + 1).map(|next| next.0.clone()));
        }
    }

    proptest! {
        #[test]
        fn what_is_no_entry_is_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some((entry, length)) = parse(&bytes, 0) {
                prop_assert!(length <= bytes.len() && entry.name.to_bytes().len() + NAME < length);
            }
        }
    }
}
