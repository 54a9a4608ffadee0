//! Opens directories of the sandbox, and never one that is not below it, whoever moves what meanwhile.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};

use mesos_ecp::fetcher::FileKind;

pub(super) const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// How often a path is tried whose way is being moved: then the kernel cannot tell whether it stays below.
const TRIES: u32 = 128;

/// The sandbox, and how its directories are found.
pub(super) struct Beneath<'a> {
    root: BorrowedFd<'a>,
    root_id: Id,
    /// Cleared where the kernel (before 5.6) or a filter of system calls refuses it.
    openat2: Cell<bool>,
}

/// Which directory it is, whatever its name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Id {
    device: u64,
    inode: u64,
}

impl Id {
    pub(super) fn of(stat: &FileStat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

impl<'a> Beneath<'a> {
    /// `openat2` is false for a test of what is done without it.
    pub(super) fn new(root: BorrowedFd<'a>, openat2: bool) -> Result<Self, Errno> {
        let stat = fstat(root)?;
        if FileKind::of_mode(stat.st_mode) != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        Ok(Self { root, root_id: Id::of(&stat), openat2: Cell::new(openat2) })
    }

    /// Opens the directory of this path. Symbolic links that stay below the sandbox are followed, if the kernel can
    /// make sure of that: else none is.
    ///
    /// # Errors
    /// EXDEV if a link leads out of the sandbox; ELOOP for a link that is not followed; the usual ones.
    pub(super) fn directory(&self, components: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        if components.is_empty() {
            return openat(self.root, ".", DIRECTORY, Mode::empty());
        }
        if self.openat2.get() {
            match self.resolved(components) {
                Err(Errno::ENOSYS | Errno::EPERM) => self.openat2.set(false),
                done => return done,
            }
        }
        self.walked(components)
    }

    fn resolved(&self, components: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        let path = components.join(&b'/');
        let how =
            OpenHow::new().flags(DIRECTORY).resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        for _ in 1..TRIES {
            match openat2(self.root, path.as_slice(), how) {
                Err(Errno::EAGAIN) => {}
                done => return done,
            }
        }
        openat2(self.root, path.as_slice(), how)
    }

    fn walked(&self, components: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        let mut current = self.directory(&[])?;
        for name in components {
            current = enter(&current, name)?;
        }
        Ok(current)
    }

    /// Whether `directory` is the sandbox itself.
    pub(super) fn is_root(&self, directory: &OwnedFd) -> Result<bool, Errno> {
        Ok(Id::of(&fstat(directory)?) == self.root_id)
    }
}

/// Opens the directory `name` itself, which is ELOOP for a symbolic link.
pub(super) fn enter(parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(parent, name, DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty()).map_err(|errno| match kind(parent, name) {
        Ok(FileKind::Symlink) => Errno::ELOOP,
        _ => errno,
    })
}

/// What `name` itself is, a symbolic link not followed.
pub(super) fn kind(parent: &OwnedFd, name: &[u8]) -> Result<FileKind, Errno> {
    Ok(FileKind::of_mode(fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode))
}
