//! Reading directories by descriptor: getdents64(2) and statx(2), which tell a walk of many files no more than it needs.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// The file system, by its device number.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
    /// The mount that it was found on; its device before Linux 5.8, which do not tell mounts apart.
    pub mount: u64,
    /// Space that is allocated for it, in units of 512 bytes.
    pub blocks: u64,
    /// How many names it has.
    pub links: u32,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// When it, or what the directory holds, was last changed or moved: seconds since 1970, and nanoseconds.
    pub changed: (i64, u32),
}

/// Looks at the file of this name in an open directory, or with an empty name at what is open itself (O_PATH will do). A
/// symbolic link is looked at itself, and nothing is mounted by looking at it.
///
/// # Errors
/// Those of statx(2).
pub fn look(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<Looked> {
    let mut found = MaybeUninit::<libc::statx>::uninit();
    let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    let mask = libc::STATX_TYPE | libc::STATX_NLINK | libc::STATX_INO | libc::STATX_BLOCKS | libc::STATX_CTIME;
    // SAFETY: `name` ends with a NUL; the kernel writes one struct statx.
    let done =
        unsafe { libc::statx(directory.as_raw_fd(), name.as_ptr(), flags, mask | STATX_MNT_ID, found.as_mut_ptr()) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the kernel has filled in all of it; it is plain data.
    let found = unsafe { found.assume_init() };
    let device = u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor);
    Ok(Looked {
        device,
        inode: found.stx_ino,
        mount: if found.stx_mask & STATX_MNT_ID != 0 { found.stx_mnt_id } else { device },
        blocks: found.stx_blocks,
        links: found.stx_nlink,
        is_directory: u32::from(found.stx_mode) & libc::S_IFMT == libc::S_IFDIR,
        changed: (found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
    })
}

/// Of linux/stat.h; Linux 5.8.
const STATX_MNT_ID: u32 = 0x1000;

/// The next entries of an open directory, as getdents64(2) has them: how many bytes of `buffer` they fill. 0: there are no
/// more.
///
/// # Errors
/// ENOENT when it was removed, EINVAL when the buffer is too small for one entry, and what the disk says.
pub fn entries(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let filled = unsafe {
        libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), buffer.as_mut_ptr(), buffer.len() as libc::size_t)
    };
    usize::try_from(filled).map_err(|_| io::Error::last_os_error())
}

/// Makes this process one that has what others leave: the lowest priority for processors (nice 19) and disks (idle).
///
/// The class SCHED_IDLE would be less still, but what it has of a busy processor is so little that a container could keep
/// itself from being looked at.
pub fn lowest_priority() {
    const WHO_PROCESS: i32 = 1;
    const CLASS_IDLE: i32 = 3 << 13;
    // SAFETY: numbers only, about this process. Without one of them it is only less modest.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn what_is_looked_at_is_as_the_standard_library_has_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), vec![1; 100_000]).unwrap();
        fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        symlink("a", dir.path().join("link")).unwrap();
        let fd = File::open(dir.path()).unwrap();
        for name in [c"a", c"b", c"link", c""] {
            let found = look(fd.as_fd(), name).unwrap();
            let expected = fs::symlink_metadata(dir.path().join(name.to_str().unwrap())).unwrap();
            assert_eq!((found.inode, found.blocks), (expected.ino(), expected.blocks()), "{name:?}");
            assert_eq!((u64::from(found.links), found.is_directory), (expected.nlink(), expected.is_dir()), "{name:?}");
        }
        assert_eq!(look(fd.as_fd(), c"none").unwrap_err().raw_os_error(), Some(libc::ENOENT));
        let proc = look(File::open("/proc").unwrap().as_fd(), c"").unwrap();
        let here = look(fd.as_fd(), c"").unwrap();
        assert!(proc.mount != here.mount && proc.device != here.device);
    }

    #[test]
    fn directories_are_read_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let fd = File::open(dir.path()).unwrap();
        let mut buffer = [0; 1024];
        assert!(entries(fd.as_fd(), &mut buffer).unwrap() >= 3 * 24);
        assert_eq!(entries(fd.as_fd(), &mut buffer).unwrap(), 0);
        assert_eq!(entries(fd.as_fd(), &mut buffer[..4]).unwrap(), 0, "at the end no buffer is too small");
        let file = File::open(dir.path().join("a")).unwrap();
        assert_eq!(entries(file.as_fd(), &mut buffer).unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
    }
}
