//! openat2(2), and what its answers mean.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlink};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use crate::error::{Error, Result};
use crate::weaken;

/// No symbolic link anywhere, those of /proc (`/proc/self/fd/3`) included.
pub(super) const NO_LINKS: ResolveFlag = ResolveFlag::RESOLVE_NO_SYMLINKS.union(ResolveFlag::RESOLVE_NO_MAGICLINKS);

/// [`NO_LINKS`] for what is below a directory of somebody else's, but in tests of attacks.
pub(super) fn no_links() -> ResolveFlag {
    if weaken::is("symlinks") { ResolveFlag::empty() } else { NO_LINKS }
}

/// The same, and nothing outside of that directory.
pub(super) fn below() -> ResolveFlag {
    if weaken::is("symlinks") || weaken::is("volume-paths") {
        return ResolveFlag::empty();
    }
    ResolveFlag::RESOLVE_BENEATH | NO_LINKS
}

/// How often a path is tried while somebody moves what is on the way: the kernel then cannot tell whether it stays below.
pub(super) const TRIES: u32 = 128;

/// Opens `path`, of whatever kind, for O_PATH.
pub(super) fn open(at: BorrowedFd<'_>, path: &Path, how: ResolveFlag) -> nix::Result<OwnedFd> {
    // With O_DIRECTORY what is mounted on demand gets mounted. It is what most paths name.
    match open_for(at, path, OFlag::O_PATH | OFlag::O_DIRECTORY, how) {
        Err(Errno::ENOTDIR) => open_for(at, path, OFlag::O_PATH, how),
        done => done,
    }
}

/// The same with other flags; O_CLOEXEC is added.
pub(super) fn open_for(at: BorrowedFd<'_>, path: &Path, flags: OFlag, how: ResolveFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(how);
    for _ in 1..TRIES {
        match openat2(at, path, how) {
            Err(Errno::EAGAIN) => {}
            done => return done,
        }
    }
    openat2(at, path, how)
}

/// Opens what has this one name itself, be it a link.
pub(super) fn open_name(at: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(at, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Whether both are the same thing, whatever it is called.
pub(super) fn same(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> nix::Result<bool> {
    let (a, b) = (fstat(a)?, fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// Where the kernel says that an open file is. With ` (deleted)` behind it if it is gone: to be looked up again.
pub(super) fn path_of(fd: BorrowedFd<'_>) -> Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let target = readlink(link.as_str()).map_err(|e| Error::path("read", &link)(e.into()))?;
    Ok(PathBuf::from(target))
}

/// The names of a path without `.` and `/`.
///
/// # Errors
/// `..`, a NUL byte, and a path of no names at all.
pub(super) fn names(path: &Path) -> Result<Vec<&OsStr>> {
    let shown = || path.to_string_lossy().escape_default().to_string();
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if !name.as_bytes().contains(&0) => names.push(name),
            Component::Normal(_) => {
                return Err(Error::Refused(format!("the path \"{}\" has a NUL byte in it", shown())));
            }
            Component::ParentDir if weaken::is("volume-paths") => names.push(component.as_os_str()),
            Component::ParentDir => return Err(Error::Refused(format!("the path \"{}\" has \"..\" in it", shown()))),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    if names.is_empty() {
        return Err(Error::Refused(format!("the path \"{}\" names nothing", shown())));
    }
    Ok(names)
}

/// The error for `path`, looked up from `at`, shown as `shown`: if it is a link that was in the way, the error names it.
pub(super) fn failed(
    operation: &'static str,
    at: BorrowedFd<'_>,
    path: &[&OsStr],
    shown: &Path,
    errno: Errno,
) -> Error {
    if errno == Errno::ELOOP
        && let Some((link, target)) = first_link(at, path)
    {
        return Error::Refused(format!(
            "cannot {operation} {}: {} is a symbolic link (to {}), and none is followed there",
            shown.join(path.iter().collect::<PathBuf>()).display(),
            shown.join(link).display(),
            target.display(),
        ));
    }
    Error::path(operation, shown.join(path.iter().collect::<PathBuf>()))(errno.into())
}

/// The first link on the way, and where it leads: for a message only.
fn first_link(at: BorrowedFd<'_>, path: &[&OsStr]) -> Option<(PathBuf, PathBuf)> {
    let mut current: Option<OwnedFd> = None;
    for (index, name) in path.iter().enumerate() {
        let next = open_name(current.as_ref().map_or(at, |fd| fd.as_fd()), name).ok()?;
        if kind(&fstat(&next).ok()?) == SFlag::S_IFLNK {
            return Some((path[..=index].iter().collect(), target(&next).ok()?));
        }
        current = Some(next);
    }
    None
}

/// Where a link leads, opened by [`open_name`].
pub(super) fn target(link: &OwnedFd) -> io::Result<PathBuf> {
    Ok(PathBuf::from(nix::fcntl::readlinkat(link, "")?))
}
