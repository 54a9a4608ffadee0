//! Makes one directory or file in an open directory that somebody else may change meanwhile.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, mkdirat};
use nix::unistd::{fchown, geteuid};

use super::Owner;
use super::resolve::{kind, no_links, open_for};
use crate::step::step;

/// Makes the directory, or opens the one that is there, which stays as it is.
///
/// # Errors
/// ELOOP for a link, ENOTDIR for anything else that is no directory; those of mkdirat(2) and fchown(2).
pub(super) fn directory(parent: BorrowedFd<'_>, name: &OsStr, owner: Owner) -> nix::Result<OwnedFd> {
    match step("make directory", || mkdirat(parent, name, Mode::S_IRWXU)) {
        Err(Errno::EEXIST) => return open_for(parent, Path::new(name), OFlag::O_PATH | OFlag::O_DIRECTORY, no_links()),
        done => done?,
    }
    // Opened to be read: fchmod(2) takes no O_PATH, and whether it is empty is looked at.
    let made = open_for(parent, Path::new(name), OFlag::O_RDONLY | OFlag::O_DIRECTORY, no_links())?;
    // Who may write to the parent may have put another directory in its place, which is not to be given away. An empty one
    // of ours is worth no more than the one that was made.
    if fstat(&made)?.st_uid == geteuid().as_raw() && is_empty(&made)? {
        own(&made, owner)?;
    }
    open_for(made.as_fd(), Path::new("."), OFlag::O_PATH | OFlag::O_DIRECTORY, no_links())
}

/// Makes an empty file, or opens what is there, if it is no directory; that stays as it is.
///
/// # Errors
/// ELOOP for a link, EISDIR for a directory; those of open(2) and fchown(2).
pub(super) fn file(parent: BorrowedFd<'_>, name: &OsStr, owner: Owner) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match step("make file", || openat(parent, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)) {
        Ok(made) => own(&made, owner)?,
        Err(Errno::EEXIST) => {}
        Err(e) => return Err(e),
    }
    let found = open_for(parent, Path::new(name), OFlag::O_PATH, no_links())?;
    match kind(&fstat(&found)?) {
        SFlag::S_IFDIR => Err(Errno::EISDIR),
        _ => Ok(found),
    }
}

/// The owner first: changing it clears the set-id bits.
fn own(made: &OwnedFd, owner: Owner) -> nix::Result<()> {
    fchown(made, Some(owner.uid), Some(owner.gid))?;
    fchmod(made, Mode::from_bits_truncate(owner.mode))
}

fn is_empty(directory: &OwnedFd) -> nix::Result<bool> {
    let mut list = Dir::from_fd(directory.try_clone().map_err(|_| Errno::EMFILE)?)?;
    for entry in list.iter() {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
