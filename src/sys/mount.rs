//! The mount calls of Linux 5.2 and later, by descriptor: trees of mounts that are nowhere yet, so that all about them is
//! settled before a container has them; and opening paths with a say in what may be followed (Linux 5.6).
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `MOUNT_ATTR_*` of linux/mount.h.
pub const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// No set-user-id programs.
pub const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
/// No device files.
pub const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
/// No programs.
pub const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

/// How openat2(2) resolves a path: no symbolic link at all, and nothing outside of the directory.
pub const BENEATH: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;

/// open_tree(2) and mount_setattr(2): the mounts below, too. (In `libc` it is a signed number.)
const RECURSIVE: u32 = libc::AT_RECURSIVE as u32;
const EMPTY_PATH: u32 = libc::AT_EMPTY_PATH as u32;

/// fsconfig(2), enum fsconfig_command of linux/mount.h.
const FSCONFIG_SET_FLAG: u32 = 0;
pub(super) const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;

/// What becomes of mounts made later, on either side of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// What the host mounts and unmounts there is passed on to the copy, and nothing back.
    Slave,
    /// Nothing is passed on.
    Private,
}

/// openat2(2) with `flags` (O_CLOEXEC is added) and `resolve`.
///
/// # Errors
/// ENOSYS before Linux 5.6; ELOOP and EXDEV for what `resolve` does not allow; EAGAIN when something was renamed meanwhile
/// and the call could not be sure (it is tried again a few times here).
pub fn openat2(directory: BorrowedFd<'_>, path: &CStr, flags: i32, mode: u32, resolve: u64) -> io::Result<OwnedFd> {
    let how = How { flags: (flags | libc::O_CLOEXEC) as u64, mode: u64::from(mode), resolve };
    let mut tries = 0;
    loop {
        // SAFETY: `path` ends with a NUL; the kernel reads `how`, of the size that is given.
        let fd = unsafe { openat2_raw(directory.as_raw_fd(), path.as_ptr(), &how) };
        match check(fd) {
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) && tries < 128 => tries += 1,
            // SAFETY: just opened, and nobody else knows of it.
            opened => return opened.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    }
}

/// A copy of what is mounted at a descriptor of any kind (O_PATH will do), of a file or of a directory, that is mounted
/// nowhere. `recursive`: with all that is mounted below.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN, EINVAL for what is not in this mount namespace, ENOSYS before Linux 5.2.
pub fn open_tree(at: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC as u32 | EMPTY_PATH | if recursive { RECURSIVE } else { 0 };
    // SAFETY: an empty constant path and numbers; a new descriptor comes back.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), c"".as_ptr(), flags) };
    // SAFETY: just opened, and nobody else knows of it.
    check(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets attributes (`MOUNT_ATTR_*`) and propagation of a tree; `recursive`: of all mounts of it, so that a file system mounted
/// below is no way around RDONLY.
///
/// # Errors
/// ENOSYS before Linux 5.12.
pub fn set_attributes(
    tree: BorrowedFd<'_>,
    set: u64,
    propagation: Option<Propagation>,
    recursive: bool,
) -> io::Result<()> {
    let propagation = match propagation {
        Some(Propagation::Slave) => libc::MS_SLAVE,
        Some(Propagation::Private) => libc::MS_PRIVATE,
        None => 0,
    };
    let attributes = Attributes { set, propagation, ..Attributes::default() };
    // SAFETY: the tree is an open descriptor.
    check(unsafe { set_attributes_raw(tree.as_raw_fd(), &attributes, recursive) }).map(drop)
}

/// Lets a detached tree's uppermost mount show the files' owners as a user namespace maps them, which it must have been made
/// to do: what is inside there is on disk here, and what is outside there is who owns it for the mount's users. What is
/// mounted below stays as it is.
///
/// # Errors
/// EINVAL when the file system cannot do that, or the mount is mapped already; EPERM without CAP_SYS_ADMIN over the file
/// system; ENOSYS before Linux 5.12.
pub fn set_id_map(tree: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = Attributes {
        set: libc::MOUNT_ATTR_IDMAP,
        user_namespace: namespace.as_raw_fd() as u64,
        ..Attributes::default()
    };
    // SAFETY: the tree and the namespace are open descriptors.
    check(unsafe { set_attributes_raw(tree.as_raw_fd(), &attributes, false) }).map(drop)
}

/// A file system in the making: fsopen(2).
#[derive(Debug)]
pub struct Configured(OwnedFd);

impl Configured {
    /// Of a kind that the kernel knows, as `tmpfs`.
    ///
    /// # Errors
    /// ENODEV for one that it does not know.
    pub fn new(kind: &CStr) -> io::Result<Configured> {
        // SAFETY: `kind` ends with a NUL; a new descriptor comes back.
        let fd = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), libc::FSOPEN_CLOEXEC) };
        // SAFETY: just opened, and nobody else knows of it.
        check(fd).map(|fd| Configured(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sets an option, as `size` to `65536k`.
    ///
    /// # Errors
    /// EINVAL for what the file system does not know.
    pub fn set(self, name: &CStr, value: &CStr) -> io::Result<Configured> {
        let (name, value) = (name.as_ptr(), value.as_ptr());
        // SAFETY: name and value end with a NUL.
        let done =
            unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), FSCONFIG_SET_STRING, name, value, 0) };
        check(done).map(|_| self)
    }

    /// Sets an option without a value, as `newinstance`.
    ///
    /// # Errors
    /// EINVAL for what the file system does not know.
    pub fn flag(self, name: &CStr) -> io::Result<Configured> {
        let none = std::ptr::null::<libc::c_char>();
        // SAFETY: the name ends with a NUL; there is no value.
        let done =
            unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), FSCONFIG_SET_FLAG, name.as_ptr(), none, 0) };
        check(done).map(|_| self)
    }

    /// Makes it: a tree of one mount, mounted nowhere, with attributes (`MOUNT_ATTR_*`). One can work in it by its descriptor.
    ///
    /// # Errors
    /// As mount(2).
    pub fn make(self, attributes: u64) -> io::Result<OwnedFd> {
        // SAFETY: the descriptor is one of fsopen.
        let fd = unsafe { make_raw(self.0.as_raw_fd(), attributes) };
        // SAFETY: just opened, and nobody else knows of it.
        check(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Puts a detached tree on what `at` is open for, in the mount namespace that `at` was opened in.
///
/// # Errors
/// ENOTDIR when only one of the two is a directory; EINVAL when `at` is of another mount namespace.
pub fn attach(tree: BorrowedFd<'_>, at: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: two open descriptors.
    check(unsafe { attach_raw(tree.as_raw_fd(), at.as_raw_fd()) }).map(drop)
}

/// struct open_how of linux/openat2.h. (That of `libc` cannot be made outside of it.)
#[repr(C)]
pub(super) struct How {
    pub(super) flags: u64,
    pub(super) mode: u64,
    pub(super) resolve: u64,
}

/// struct mount_attr of linux/mount.h.
#[repr(C)]
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) set: u64,
    pub(super) clear: u64,
    pub(super) propagation: u64,
    pub(super) user_namespace: u64,
}

// The calls as they are made between clone and exec, too: no allocation, errno as the kernel leaves it.

/// # Safety
/// `path` ends with a NUL.
pub(super) unsafe fn openat2_raw(directory: i32, path: *const libc::c_char, how: &How) -> i64 {
    // SAFETY: passed on to the caller; the structure is of the size that is given.
    unsafe { libc::syscall(libc::SYS_openat2, directory, path, how, size_of::<How>()) }
}

/// # Safety
/// `tree` is an open descriptor.
pub(super) unsafe fn set_attributes_raw(tree: i32, attributes: &Attributes, recursive: bool) -> i64 {
    let flags = EMPTY_PATH | if recursive { RECURSIVE } else { 0 };
    let size = size_of::<Attributes>();
    // SAFETY: the structure is of the size that is given.
    unsafe { libc::syscall(libc::SYS_mount_setattr, tree, c"".as_ptr(), flags, attributes, size) }
}

/// # Safety
/// Both are open descriptors.
pub(super) unsafe fn attach_raw(tree: i32, at: i32) -> i64 {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: constant empty paths.
    unsafe { libc::syscall(libc::SYS_move_mount, tree, c"".as_ptr(), at, c"".as_ptr(), flags) }
}

/// fsconfig(FSCONFIG_CMD_CREATE) and fsmount(2).
///
/// # Safety
/// `configured` is a descriptor of fsopen(2).
pub(super) unsafe fn make_raw(configured: i32, attributes: u64) -> i64 {
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: numbers and null pointers, as this command wants them.
    unsafe {
        if libc::syscall(libc::SYS_fsconfig, configured, FSCONFIG_CMD_CREATE, none, none, 0) < 0 {
            return -1;
        }
        libc::syscall(libc::SYS_fsmount, configured, libc::FSMOUNT_CLOEXEC, attributes as u32)
    }
}

fn check(result: i64) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

const _: () = assert!(size_of::<How>() == 24 && size_of::<Attributes>() == 32);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn no_link_is_followed_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        let top = File::open(dir.path()).unwrap();
        let open = |path: &CStr| openat2(top.as_fd(), path, libc::O_PATH, 0, BENEATH).map_err(|e| e.raw_os_error());
        assert!(open(c"a").is_ok());
        assert_eq!(open(c"link").unwrap_err(), Some(libc::ELOOP));
        assert_eq!(open(c"a/../..").unwrap_err(), Some(libc::EXDEV));
        assert_eq!(open(c"/").unwrap_err(), Some(libc::EXDEV));
    }

    #[test]
    fn a_tree_is_read_only_before_anybody_has_it() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let tmpfs = Configured::new(c"tmpfs").unwrap().set(c"size", c"64k").unwrap().make(NODEV | NOSUID).unwrap();
        let flags = libc::O_CREAT | libc::O_WRONLY;
        openat2(tmpfs.as_fd(), c"file", flags, 0o644, BENEATH).unwrap();
        set_attributes(tmpfs.as_fd(), RDONLY, Some(Propagation::Private), true).unwrap();
        let refused = openat2(tmpfs.as_fd(), c"other", flags, 0o644, BENEATH).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EROFS));

        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), "").unwrap();
        let copy = open_tree(File::open(dir.path()).unwrap().as_fd(), true).unwrap();
        set_attributes(copy.as_fd(), RDONLY | NOEXEC, Some(Propagation::Slave), true).unwrap();
        assert!(openat2(copy.as_fd(), c"x", libc::O_RDONLY, 0, BENEATH).is_ok());
        assert!(openat2(copy.as_fd(), c"y", flags, 0o644, BENEATH).is_err());
    }
}
