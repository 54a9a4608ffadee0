//! Locks that end with their process, however that ends.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::directory::Directory;

/// A lock that is held until it is dropped. This program starts no other, so nobody inherits it.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not looked at")] Flock<File>);

impl Lock {
    /// Waits for it; the supervisor bounds that.
    pub fn take(directory: &Directory, name: &str) -> io::Result<Lock> {
        loop {
            match Flock::lock(directory.open_or_create(name)?, FlockArg::LockExclusive) {
                Ok(lock) if is_still(directory, name, &lock)? => return Ok(Lock(lock)),
                // Its last holder has removed it: whoever comes now locks another one of the name.
                Ok(_) | Err((_, Errno::EINTR)) => {}
                Err((_, errno)) => return Err(errno.into()),
            }
        }
    }

    /// The lock, if it is there and nobody has it.
    pub fn try_take(directory: &Directory, name: &str) -> io::Result<Option<Lock>> {
        match Flock::lock(directory.open_or_create(name)?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(is_still(directory, name, &lock)?.then_some(Lock(lock))),
            Err((_, Errno::EAGAIN | Errno::EINTR)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }
}

fn is_still(directory: &Directory, name: &str, lock: &File) -> io::Result<bool> {
    let ours = lock.metadata()?;
    Ok(directory.identity(name)? == Some((ours.dev(), ours.ino())))
}
