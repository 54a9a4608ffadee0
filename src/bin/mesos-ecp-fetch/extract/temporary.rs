//! Names that are given to files before they are whole.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How many names are tried before giving up: those of fetches that were killed may be left.
const NAMES: u32 = 64;

/// A file or link that is removed unless it is put in its place.
pub(super) struct Temporary<'d> {
    directory: &'d OwnedFd,
    name: String,
    placed: bool,
}

impl<'d> Temporary<'d> {
    /// `make` is called with names until it does not say EEXIST.
    pub(super) fn make<T>(
        directory: &'d OwnedFd,
        mut make: impl FnMut(&str) -> Result<T, Errno>,
    ) -> Result<(Self, T), Errno> {
        for number in 0..NAMES {
            // Not made from the destination's name, which may have the greatest length already.
            let name = format!(".mesos-ecp-fetch-{}-{number}", std::process::id());
            match make(&name) {
                Err(Errno::EEXIST) => {}
                made => return Ok((Self { directory, name, placed: false }, made?)),
            }
        }
        Err(Errno::EEXIST)
    }

    /// Gives it its name, instead of whatever had that; EISDIR if that is a directory.
    pub(super) fn place(mut self, name: &[u8]) -> Result<(), Errno> {
        renameat(self.directory, self.name.as_str(), self.directory, name)?;
        self.placed = true;
        Ok(())
    }

    /// The same for a hard link: if `name` is one to the same file, a rename does nothing and leaves both.
    pub(super) fn place_hard_link(self, name: &[u8]) -> Result<(), Errno> {
        renameat(self.directory, self.name.as_str(), self.directory, name)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.placed {
            // What it failed for is being reported; a file left over changes nothing about it.
            let _ = unlinkat(self.directory, self.name.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}
