//! Gives a project id to all that is in a directory already.
//!
//! What is in it was made by whoever used it before. So everything is done by descriptor, no link is followed, no mount entered,
//! and nothing but directories and regular files is opened: the rest uses no space.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use super::spot::Spot;
use crate::error::{Error, Result};
use crate::step::step;
use crate::sys::mount::{BENEATH, openat2};
use crate::sys::{Project, project_of, set_project};

/// A directory on the way down.
struct Level {
    name: CString,
    /// To know it again on the way up.
    identity: (u64, u64),
    /// The directories in it that are still to be entered.
    left: Vec<CString>,
}

struct Walk<'a> {
    shown: &'a Path,
    id: u32,
    device: u64,
    /// What it finds marked was so with all that is in it.
    again: bool,
    /// When to wait no more for who has leases on files; none before the first.
    deadline: Cell<Option<Instant>>,
}

/// For all files together. Who lives gives a lease back at once; the kernel takes it away after /proc/sys/fs/lease-break-time.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Makes all that is in the directory one of this project, which the directory itself is already, and what will be made in it.
///
/// # Errors
/// Of the first thing that cannot be made one. Until all is done nothing that is made in the directory is of the project.
pub(super) fn mark(spot: &Spot, id: u32) -> Result<()> {
    let device = look(&spot.fd()).map_err(Error::path("look at", spot.path()))?.0;
    let mut walk = Walk { shown: spot.path(), id, device, again: false, deadline: Cell::default() };
    walk.all(spot.fd())?;
    spot.become_of(Project { id, inherited: true })?;
    // What was made in the directory itself while that was under way.
    walk.again = true;
    walk.all(spot.fd())
}

impl Walk<'_> {
    /// Depth first, with one directory open at a time: they may be nested deeper than there are descriptors.
    fn all(&self, top: BorrowedFd<'_>) -> Result<()> {
        let mut here = openat(top, ".", READ, Mode::empty()).map_err(self.fail(&[], None))?;
        let top = look(&here).map_err(Error::path("look at", self.shown))?;
        let mut way = vec![Level { name: c".".into(), identity: top, left: self.inside(&here, &[])? }];
        loop {
            if let Some(name) = way.last_mut().and_then(|level| level.left.pop()) {
                let below = match openat2(here.as_fd(), &name, READ.bits(), 0, BENEATH | libc::RESOLVE_NO_XDEV) {
                    // Gone, or no directory any more, or one with something mounted on it.
                    Err(e) if is_gone(&e) => continue,
                    below => below.map_err(|e| self.fail(&way, Some(&name))(errno(&e)))?,
                };
                let identity = look(&below).map_err(Error::path("look at", self.shown))?;
                if identity.0 != self.device {
                    continue;
                }
                // First, so that what is made in it from now on needs nobody to mark it.
                let changed = self.change(below.as_fd(), true).map_err(|e| self.fail(&way, Some(&name))(errno(&e)))?;
                if self.again && !changed {
                    continue;
                }
                let left = self.inside(&below, &way)?;
                way.push(Level { name, identity, left });
                here = below;
                continue;
            }
            way.pop();
            let Some(above) = way.last() else { return Ok(()) };
            here = openat(&here, "..", READ, Mode::empty()).map_err(self.fail(&way, None))?;
            if look(&here).map_err(Error::path("look at", self.shown))? != above.identity {
                return Err(Error::Refused(format!(
                    "cannot make {} a project: somebody moves directories in it",
                    self.shown.display()
                )));
            }
        }
    }

    /// Marks the files in this directory; the directories among it are returned.
    fn inside(&self, directory: &OwnedFd, way: &[Level]) -> Result<Vec<CString>> {
        let copy = directory.try_clone().map_err(Error::system("duplicate a descriptor"))?;
        let mut list = Dir::from_fd(copy).map_err(self.fail(way, None))?;
        let mut directories = Vec::new();
        for entry in list.iter() {
            let entry = entry.map_err(self.fail(way, None))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let flags = libc::O_PATH | libc::O_NOFOLLOW;
            let found = match openat2(directory.as_fd(), name, flags, 0, BENEATH | libc::RESOLVE_NO_XDEV) {
                Err(e) if is_gone(&e) => continue,
                found => found.map_err(|e| self.fail(way, Some(name))(errno(&e)))?,
            };
            let stat = fstat(&found).map_err(self.fail(way, Some(name)))?;
            match kind(&stat) {
                SFlag::S_IFDIR => directories.push(name.to_owned()),
                SFlag::S_IFREG if stat.st_dev == self.device => match self.file(&found, stat.st_nlink > 1) {
                    Err(Errno::EAGAIN) => return Err(self.is_leased(way, name)),
                    done => done.map_err(self.fail(way, Some(name)))?,
                },
                _ => {}
            }
        }
        Ok(directories)
    }

    fn file(&self, found: &OwnedFd, has_other_names: bool) -> nix::Result<()> {
        // The descriptor is that of a regular file: to open it does nothing.
        let path = format!("/proc/self/fd/{}", found.as_raw_fd());
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = loop {
            match open(path.as_str(), flags, Mode::empty()) {
                // Somebody has a lease on it, and was told just now to give it back.
                Err(Errno::EAGAIN) if self.may_wait() => sleep(PAUSE),
                file => break file?,
            }
        };
        // One that is somewhere else, too, may be in the project there.
        if has_other_names && project_of(file.as_fd()).map_err(|e| errno(&e))?.id != 0 {
            return Ok(());
        }
        self.change(file.as_fd(), false).map(drop).map_err(|e| errno(&e))
    }

    /// False: it was so already.
    fn change(&self, file: BorrowedFd<'_>, inherited: bool) -> std::io::Result<bool> {
        step("project mark", || set_project(file, Project { id: self.id, inherited }))
    }

    fn may_wait(&self) -> bool {
        let now = Instant::now();
        let deadline = self.deadline.get().unwrap_or(now + PATIENCE);
        self.deadline.set(Some(deadline));
        now < deadline
    }

    fn is_leased(&self, way: &[Level], name: &CStr) -> Error {
        Error::Refused(format!(
            "cannot give a project id to {}: another process has a lease on it (F_SETLEASE of fcntl(2), see /proc/locks) and does not give \
             it back: end that process, or try again in a minute",
            self.path(way, Some(name)).display()
        ))
    }

    fn fail(&self, way: &[Level], name: Option<&CStr>) -> impl FnOnce(Errno) -> Error + use<> {
        let path = self.path(way, name);
        move |errno| Error::path("give a project id to", path)(errno.into())
    }

    fn path(&self, way: &[Level], name: Option<&CStr>) -> PathBuf {
        let names = way.iter().skip(1).map(|level| level.name.as_c_str()).chain(name);
        let below: PathBuf = names.map(|name| OsStr::from_bytes(name.to_bytes())).collect();
        self.shown.join(below)
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    let errnos = [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::EXDEV];
    error.raw_os_error().is_some_and(|errno| errnos.contains(&errno))
}

/// st_dev and st_ino.
fn look(directory: &impl AsFd) -> std::io::Result<(u64, u64)> {
    Ok(fstat(directory).map(|stat| (stat.st_dev, stat.st_ino))?)
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
