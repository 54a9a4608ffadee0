//! Opens paths that somebody else may change meanwhile: by descriptor, so that what was looked at is what is used.
//!
//! | who | what may be in the path | what it is for |
//! |--|--|--|
//! | [`Beneath`] | no link at all, no `..` | a directory that somebody else controls: a sandbox |
//! | [`trusted`] | links that only root can change | an absolute path of the host |
//! | [`in_root`] | anything, seen as chroot(2) would | a root file system that somebody else made |
//!
//! A descriptor that comes out is one of O_PATH: it gives no right to read or to write, only a place to mount on, or to be
//! mounted elsewhere. Its path beside it is canonical at that moment; who goes by it later has to refuse links once more.
//!
//! Linux 5.6 (openat2) is needed. This room knows nothing of containers.
#![forbid(unsafe_code)]

mod beneath;
mod in_root;
mod make;
mod resolve;
mod trusted;

#[cfg(test)]
mod race_tests;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid};

pub use beneath::Beneath;
pub use in_root::InRoot;
pub use trusted::trusted;

/// Something that was opened, and where it was then.
#[derive(Debug)]
pub struct Found {
    /// Of O_PATH.
    pub fd: OwnedFd,
    /// Absolute, without links, `.` and `..`; seen from the root that it was looked up in.
    pub path: PathBuf,
}

/// To whom something that is made belongs, and what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The owner.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
    /// The permissions, with the set-id and sticky bits; whatever the umask is.
    pub mode: u32,
}
