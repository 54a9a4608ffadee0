//! `/dev` of a container with a root directory of its own.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mkdirat, mknodat};
use nix::unistd::symlinkat;

use crate::error::{Error, Result};
use crate::isolator::mount::{Configured, NODEV, NOEXEC, NOSUID};

/// Numbers as in the kernel's admin-guide/devices.txt; everybody may read and write them.
const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Name and where it leads.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Directories in which others are mounted.
const DIRECTORIES: [&str; 2] = ["pts", "shm"];

/// Whether `/dev` has something of this name, relative to it, that can be mounted on.
pub fn can_be_covered(name: &Path) -> bool {
    let name = name.as_os_str();
    DEVICES.iter().map(|(device, _, _)| *device).chain(DIRECTORIES).any(|own| name == own)
}

/// A file system with the devices that every program may expect, mounted nowhere.
///
/// # Errors
/// Those of the mount calls; EPERM for a device without CAP_MKNOD.
pub fn dev() -> Result<OwnedFd> {
    let tree = Configured::new(c"tmpfs")
        .and_then(|tmpfs| tmpfs.set(c"mode", c"0755"))
        .and_then(|tmpfs| tmpfs.set(c"size", c"64k"))
        .and_then(|tmpfs| tmpfs.make(NOSUID | NOEXEC))
        .map_err(Error::system("make the file system for the container's /dev"))?;
    fill(&tree).map_err(Error::system("make the devices for the container's /dev"))?;
    Ok(tree)
}

fn fill(tree: &OwnedFd) -> nix::Result<()> {
    let everybody = Mode::from_bits_truncate(0o666);
    for (name, major, minor) in DEVICES {
        mknodat(tree, name, SFlag::S_IFCHR, everybody, makedev(major, minor))?;
        // The umask has taken something away.
        fchmodat(tree, name, everybody, FchmodatFlags::FollowSymlink)?;
    }
    for (name, target) in LINKS {
        symlinkat(target, tree, name)?;
    }
    for name in DIRECTORIES {
        mkdirat(tree, name, Mode::from_bits_truncate(0o755))?;
    }
    Ok(())
}

/// Terminals of the container's own. 5 is the group `tty`, as everywhere.
///
/// # Errors
/// Those of the mount calls.
pub fn terminals() -> Result<OwnedFd> {
    Configured::new(c"devpts")
        .and_then(|devpts| devpts.set(c"mode", c"0620"))
        .and_then(|devpts| devpts.set(c"ptmxmode", c"0666"))
        .and_then(|devpts| devpts.set(c"gid", c"5"))
        .and_then(|devpts| devpts.make(NOSUID | NOEXEC))
        .map_err(Error::system("make the file system for the container's /dev/pts"))
}

/// Shared memory of the container's own.
///
/// # Errors
/// Those of the mount calls.
pub fn shared_memory() -> Result<OwnedFd> {
    Configured::new(c"tmpfs")
        .and_then(|tmpfs| tmpfs.set(c"mode", c"1777"))
        .and_then(|tmpfs| tmpfs.make(NOSUID | NODEV))
        .map_err(Error::system("make the file system for the container's /dev/shm"))
}
