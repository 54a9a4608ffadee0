//! The directories that an extraction has made: their modes and times are set when all is in them.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstat, futimens};
use nix::sys::time::TimeSpec;

use super::beneath::{Beneath, Id};
use super::error::Failure;
use super::tree::{Attributes, KEPT_MODE};

/// The bytes of all their paths together, which are held in memory: a hundred for each of a million.
const MOST_BYTES: usize = 128 << 20;

#[derive(Debug, Default)]
pub(super) struct Made {
    /// In the order in which they were made: what is in one comes after it.
    directories: Vec<Directory>,
    by_id: HashMap<Id, usize>,
    bytes: usize,
}

#[derive(Debug)]
struct Directory {
    id: Id,
    /// Its components, with slashes between: as a list they would take many times that.
    path: Box<[u8]>,
    attributes: Attributes,
}

impl Made {
    pub(super) fn add(
        &mut self,
        made: &OwnedFd,
        parent: &[Vec<u8>],
        name: &[u8],
        attributes: Attributes,
    ) -> Result<(), Failure> {
        let id = Id::of(&fstat(made).map_err(Failure::write("look at the directory"))?);
        let path: Vec<&[u8]> = parent.iter().map(Vec::as_slice).chain([name]).collect();
        let path = path.join(&b'/').into_boxed_slice();
        self.bytes += path.len();
        if self.bytes > MOST_BYTES {
            return Err(Failure::refused(
                "is one of so many directories with long names that they are not held in memory",
            ));
        }
        self.by_id.insert(id, self.directories.len());
        self.directories.push(Directory { id, path, attributes });
        Ok(())
    }

    /// A later member names it as well; nothing, if it was not made here.
    pub(super) fn change(&mut self, directory: &OwnedFd, attributes: Attributes) -> Result<(), Errno> {
        let id = Id::of(&fstat(directory)?);
        if let Some(made) = self.by_id.get(&id).and_then(|&index| self.directories.get_mut(index)) {
            made.attributes = attributes;
        }
        Ok(())
    }

    /// From the last to the first: a directory that gets a mode without x for us is not entered any more.
    ///
    /// # Errors
    /// With the path of the directory.
    pub(super) fn finish(&mut self, beneath: &Beneath<'_>) -> Result<(), (Vec<u8>, Failure)> {
        let mut last: Option<(Vec<Vec<u8>>, OwnedFd)> = None;
        while let Some(made) = self.directories.pop() {
            let mut parent: Vec<Vec<u8>> = made.path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect();
            let name = parent.pop().unwrap_or_default();
            let directory = match last.take() {
                Some((path, directory)) if path == parent => directory,
                _ => match beneath.directory(&parent) {
                    // Moved or removed meanwhile, by a later member or by somebody else: nothing is left to be done.
                    Err(_) => continue,
                    Ok(directory) => directory,
                },
            };
            made.set_attributes(&directory, &name).map_err(|failure| (made.path.to_vec(), failure))?;
            last = Some((parent, directory));
        }
        Ok(())
    }
}

impl Directory {
    fn set_attributes(&self, parent: &OwnedFd, name: &[u8]) -> Result<(), Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let Ok(directory) = openat(parent, name, flags, Mode::empty()) else {
            return Ok(());
        };
        if fstat(&directory).is_ok_and(|stat| Id::of(&stat) != self.id) {
            return Ok(());
        }
        if let Some(modified) = self.attributes.modified {
            futimens(&directory, &TimeSpec::UTIME_OMIT, &modified)
                .map_err(Failure::write("set the time of a directory"))?;
        }
        fchmod(&directory, Mode::from_bits_truncate(self.attributes.mode & KEPT_MODE))
            .map_err(Failure::write("set the mode of a directory"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn not_any_number_of_paths_is_held() {
        let directory = std::fs::File::open("/").unwrap().as_fd().try_clone_to_owned().unwrap();
        let (parent, attributes) = (vec![vec![b'd'; 255]; 15], Attributes { mode: 0o755, modified: None });
        let mut made = Made::default();
        let held = (0..).find(|_| made.add(&directory, &parent, b"name", attributes).is_err()).unwrap();
        assert!((MOST_BYTES / 4096..MOST_BYTES / 3000).contains(&held), "{held}");
    }
}
