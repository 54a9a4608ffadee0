//! Project quotas of XFS: quotactl_fd(2), and the project ids of files (FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the kernel accounts to a project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProjectQuota {
    /// In bytes, with what is reserved for writes that are still to reach the disk.
    pub used: u64,
    /// Files of every kind.
    pub inodes: u64,
    /// The limit that writes may exceed for a while, in bytes; 0: none.
    pub soft: u64,
    /// The limit that they may not, in bytes; 0: none.
    pub hard: u64,
}

/// What a file system does about projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectAccounting {
    /// Limits hold.
    pub enforced: bool,
}

/// The project of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Project {
    /// 0: of none.
    pub id: u32,
    /// Of a directory: what is made in it is of the same.
    pub inherited: bool,
}

/// struct fs_disk_quota of linux/dqblk_xfs.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct DiskQuota {
    version: i8,
    flags: i8,
    fieldmask: u16,
    id: u32,
    blk_hardlimit: u64,
    blk_softlimit: u64,
    ino_hardlimit: u64,
    ino_softlimit: u64,
    bcount: u64,
    icount: u64,
    /// Times of grace, warnings, limits of real-time blocks.
    rest: [u64; 7],
}

/// struct fs_quota_stat of linux/dqblk_xfs.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct QuotaStat {
    version: i8,
    flags: u16,
    pad: i8,
    /// Where the quotas are kept, and times of grace.
    rest: [u64; 9],
}

/// struct fsxattr of linux/fs.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct FileAttributes {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

/// struct xfs_fs_eofblocks of xfs/xfs_fs.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct EofBlocks {
    version: u32,
    flags: u32,
    uid: u32,
    gid: u32,
    prid: u32,
    pad: u32,
    min_file_size: u64,
    rest: [u64; 12],
}

const _: () = assert!(size_of::<EofBlocks>() == 128);
const _: () = assert!(size_of::<DiskQuota>() == 112);
const _: () = assert!(size_of::<QuotaStat>() == 80);
const _: () = assert!(size_of::<FileAttributes>() == 28);

/// PRJQUOTA of linux/quota.h.
const PROJECT: u32 = 2;
/// XQM_CMD(n) of linux/dqblk_xfs.h: `('X' << 8) + n`, in QCMD(cmd, type) of linux/quota.h.
const fn command(number: u32) -> u32 {
    (((b'X' as u32) << 8) + number) << 8 | PROJECT
}
const Q_XGETQUOTA: u32 = command(3);
const Q_XSETQLIM: u32 = command(4);
const Q_XGETQSTAT: u32 = command(5);

const FS_DQUOT_VERSION: i8 = 1;
const FS_PROJ_QUOTA: i8 = 1 << 1;
/// FS_DQ_BSOFT and FS_DQ_BHARD: what of the limits is meant.
const FS_DQ_BLOCKS: u16 = 1 << 2 | 1 << 3;
/// In the flags of fs_quota_stat.
const FS_QUOTA_PDQ_ACCT: u16 = 1 << 4;
const FS_QUOTA_PDQ_ENFD: u16 = 1 << 5;
const FS_XFLAG_PROJINHERIT: u32 = 0x200;

const XFS_EOF_FLAGS_SYNC: u32 = 1 << 0;
const XFS_EOF_FLAGS_PRID: u32 = 1 << 3;

/// Amounts are in basic blocks, whatever the file system's own are.
const BASIC_BLOCK: u64 = 512;

/// Whether this kernel has quotactl_fd(2): Linux 5.14.
///
/// # Errors
/// ENOSYS when not.
pub fn try_project_quotas() -> io::Result<()> {
    // SAFETY: takes no structure where the descriptor cannot be open.
    match check(unsafe { libc::syscall(libc::SYS_quotactl_fd, -1, Q_XGETQSTAT, 0, std::ptr::null_mut::<QuotaStat>()) })
    {
        Err(e) if e.raw_os_error() != Some(libc::EBADF) => Err(e),
        _ => Ok(()),
    }
}

/// Whether the file system of a descriptor (of any kind, O_PATH will do) has project quotas. None: it accounts nothing.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn project_accounting(at: BorrowedFd<'_>) -> io::Result<Option<ProjectAccounting>> {
    let mut stat = QuotaStat::default();
    // SAFETY: the kernel writes a fs_quota_stat, which is what `stat` is.
    let done = unsafe { libc::syscall(libc::SYS_quotactl_fd, at.as_raw_fd(), Q_XGETQSTAT, 0, &raw mut stat) };
    match check(done) {
        // No quotas of any kind: not mounted with them, not built into the kernel.
        Err(e) if [Some(libc::ENOSYS), Some(libc::ESRCH)].contains(&e.raw_os_error()) => Ok(None),
        Err(e) => Err(e),
        Ok(()) if stat.flags & FS_QUOTA_PDQ_ACCT == 0 => Ok(None),
        Ok(()) => Ok(Some(ProjectAccounting { enforced: stat.flags & FS_QUOTA_PDQ_ENFD != 0 })),
    }
}

/// What the file system of a descriptor (of any kind) accounts to a project; all 0 for one that was never used.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; ESRCH without project quotas.
pub fn project_quota(at: BorrowedFd<'_>, id: u32) -> io::Result<ProjectQuota> {
    let mut quota = DiskQuota::default();
    // SAFETY: the kernel writes a fs_disk_quota, which is what `quota` is.
    let done = unsafe { libc::syscall(libc::SYS_quotactl_fd, at.as_raw_fd(), Q_XGETQUOTA, id, &raw mut quota) };
    match check(done) {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(ProjectQuota::default()),
        done => done.map(|()| ProjectQuota {
            used: quota.bcount.saturating_mul(BASIC_BLOCK),
            inodes: quota.icount,
            soft: quota.blk_softlimit.saturating_mul(BASIC_BLOCK),
            hard: quota.blk_hardlimit.saturating_mul(BASIC_BLOCK),
        }),
    }
}

/// Sets what a project may use of the file system of a descriptor (of any kind), in bytes; 0: no limit. The kernel makes it full
/// blocks of the file system.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EROFS; ESRCH without project quotas.
pub fn set_project_limits(at: BorrowedFd<'_>, id: u32, soft: u64, hard: u64) -> io::Result<()> {
    let mut quota = limits(id, soft, hard);
    // SAFETY: the kernel reads a fs_disk_quota, which is what `quota` is.
    check(unsafe { libc::syscall(libc::SYS_quotactl_fd, at.as_raw_fd(), Q_XSETQLIM, id, &raw mut quota) })
}

fn limits(id: u32, soft: u64, hard: u64) -> DiskQuota {
    DiskQuota {
        version: FS_DQUOT_VERSION,
        flags: FS_PROJ_QUOTA,
        fieldmask: FS_DQ_BLOCKS,
        id,
        blk_hardlimit: hard.div_ceil(BASIC_BLOCK),
        blk_softlimit: soft.div_ceil(BASIC_BLOCK),
        ..DiskQuota::default()
    }
}

/// The project of an open file or directory (not O_PATH).
///
/// # Errors
/// ENOTTY where there are no projects.
pub fn project_of(file: BorrowedFd<'_>) -> io::Result<Project> {
    let found = attributes(file)?;
    Ok(Project { id: found.projid, inherited: found.xflags & FS_XFLAG_PROJINHERIT != 0 })
}

/// Makes an open file or directory (not O_PATH) one of a project. False: it is one already, and nothing was done.
///
/// # Errors
/// EPERM for who is not its owner; EINVAL in a user namespace; ENOTTY where there are no projects.
pub fn set_project(file: BorrowedFd<'_>, project: Project) -> io::Result<bool> {
    let old = attributes(file)?;
    let mut new = FileAttributes { projid: project.id, xflags: old.xflags & !FS_XFLAG_PROJINHERIT, ..old };
    if project.inherited {
        new.xflags |= FS_XFLAG_PROJINHERIT;
    }
    if (new.projid, new.xflags) == (old.projid, old.xflags) {
        return Ok(false);
    }
    let request = libc::_IOW::<FileAttributes>(u32::from(b'X'), 32);
    // SAFETY: the kernel reads a fsxattr, which is what `new` is.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request, &raw const new) }.into())?;
    Ok(true)
}

/// Lets the file system of an open directory (not O_PATH) give back what it has reserved for files of a project that grow
/// (XFS_IOC_FREE_EOFBLOCKS). Nothing interrupts it, and it may take as long as somebody writes to such a file.
///
/// # Errors
/// ENOTTY on others than XFS; EPERM without CAP_SYS_ADMIN.
pub fn release_reserved(at: BorrowedFd<'_>, id: u32) -> io::Result<()> {
    let which =
        EofBlocks { version: 1, flags: XFS_EOF_FLAGS_SYNC | XFS_EOF_FLAGS_PRID, prid: id, ..EofBlocks::default() };
    let request = libc::_IOR::<EofBlocks>(u32::from(b'X'), 58);
    // SAFETY: the kernel reads an xfs_fs_eofblocks, which is what `which` is.
    check(unsafe { libc::ioctl(at.as_raw_fd(), request, &raw const which) }.into())
}

fn attributes(file: BorrowedFd<'_>) -> io::Result<FileAttributes> {
    let mut found = FileAttributes::default();
    let request = libc::_IOR::<FileAttributes>(u32::from(b'X'), 31);
    // SAFETY: the kernel writes a fsxattr, which is what `found` is.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request, &raw mut found) }.into())?;
    Ok(found)
}

fn check(result: i64) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::mem::offset_of;
    use std::os::fd::AsFd;

    #[test]
    fn structures_and_numbers_are_the_kernels() {
        // As a C compiler has them from linux/dqblk_xfs.h and linux/fs.h.
        assert_eq!((Q_XGETQUOTA, Q_XSETQLIM, Q_XGETQSTAT), (0x58_0302, 0x58_0402, 0x58_0502));
        assert_eq!((offset_of!(DiskQuota, fieldmask), offset_of!(DiskQuota, id)), (2, 4));
        assert_eq!((offset_of!(DiskQuota, blk_hardlimit), offset_of!(DiskQuota, blk_softlimit)), (8, 16));
        assert_eq!((offset_of!(DiskQuota, bcount), offset_of!(DiskQuota, icount)), (40, 48));
        assert_eq!((offset_of!(QuotaStat, flags), offset_of!(QuotaStat, rest)), (2, 8));
        assert_eq!((offset_of!(FileAttributes, projid), offset_of!(FileAttributes, xflags)), (12, 0));
        assert_eq!((offset_of!(EofBlocks, prid), offset_of!(EofBlocks, min_file_size)), (16, 24));
        #[cfg(target_arch = "x86_64")]
        assert_eq!(libc::_IOR::<EofBlocks>(88, 58), 0x8080_583a);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            (libc::_IOR::<FileAttributes>(88, 31), libc::_IOW::<FileAttributes>(88, 32)),
            (0x801c_581f, 0x401c_5820)
        );
    }

    #[test]
    fn limits_are_in_basic_blocks() {
        let quota = limits(5000, 1 << 20, (1 << 20) + 1);
        assert_eq!((quota.id, quota.blk_softlimit, quota.blk_hardlimit, quota.fieldmask), (5000, 2048, 2049, 12));
        assert_eq!(limits(1, 0, u64::MAX).blk_hardlimit, 1 << 55);
    }

    #[test]
    fn where_there_are_no_projects_it_is_said() {
        try_project_quotas().unwrap();
        let file = std::fs::File::open("/proc").unwrap();
        assert!(project_of(file.as_fd()).is_err());
        assert!(project_quota(file.as_fd(), 1).is_err());
        assert!(matches!(project_accounting(file.as_fd()), Ok(None) | Err(_)));
    }
}
