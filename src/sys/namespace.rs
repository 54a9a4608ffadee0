//! Working in another process's mount namespace.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Of linux/stat.h; Linux 5.8.
const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;

/// Moves this process, which must have one thread, into the mount namespace of the process that a pidfd stands for. Root and
/// working directory are then the root of that namespace.
///
/// # Errors
/// ESRCH when that process has ended, EPERM without CAP_SYS_ADMIN, EINVAL before Linux 5.8.
pub fn join_mounts(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a descriptor and a flag.
    let done = unsafe { libc::setns(pidfd.as_raw_fd(), libc::CLONE_NEWNS) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether something is mounted right here: what is open (O_PATH will do) is the root of a mount.
///
/// # Errors
/// ENOSYS before Linux 5.8, which do not tell.
pub fn is_mount_root(at: BorrowedFd<'_>) -> io::Result<bool> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_DONT_SYNC;
    // SAFETY: a constant empty path; the kernel writes at most one struct statx.
    let done = unsafe { libc::statx(at.as_raw_fd(), c"".as_ptr(), flags, 0, found.as_mut_ptr()) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is plain data, all of which was zero before the kernel filled it in.
    let found = unsafe { found.assume_init() };
    if found.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT == 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    Ok(found.stx_attributes & STATX_ATTR_MOUNT_ROOT != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn roots_of_mounts_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_mount_root(File::open("/proc").unwrap().as_fd()).unwrap());
        assert!(!is_mount_root(File::open(dir.path()).unwrap().as_fd()).unwrap());
    }
}
