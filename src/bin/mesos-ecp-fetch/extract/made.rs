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

#[derive(Debug, Default)]
pub(super) struct Made {
    /// In the order in which they were made: what is in one comes after it.
    directories: Vec<Directory>,
    by_id: HashMap<Id, usize>,
}

#[derive(Debug)]
struct Directory {
    id: Id,
    parent: Vec<Vec<u8>>,
    name: Vec<u8>,
    attributes: Attributes,
}

impl Made {
    pub(super) fn add(
        &mut self,
        made: &OwnedFd,
        parent: &[Vec<u8>],
        name: &[u8],
        attributes: Attributes,
    ) -> Result<(), Errno> {
        let id = Id::of(&fstat(made)?);
        self.by_id.insert(id, self.directories.len());
        self.directories.push(Directory { id, parent: parent.to_vec(), name: name.to_vec(), attributes });
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
            let parent = match last.take() {
                Some((path, directory)) if path == made.parent => directory,
                _ => match beneath.directory(&made.parent) {
                    // Moved or removed meanwhile, by a later member or by somebody else: nothing is left to be done.
                    Err(_) => continue,
                    Ok(directory) => directory,
                },
            };
            made.set_attributes(&parent).map_err(|failure| (made.path(), failure))?;
            last = Some((made.parent, parent));
        }
        Ok(())
    }
}

impl Directory {
    fn path(&self) -> Vec<u8> {
        self.parent.iter().chain([&self.name]).map(Vec::as_slice).collect::<Vec<_>>().join(&b'/')
    }

    fn set_attributes(&self, parent: &OwnedFd) -> Result<(), Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let Ok(directory) = openat(parent, self.name.as_slice(), flags, Mode::empty()) else {
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
