//! One cgroup: an open directory, so that what is read and written is always this very cgroup.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::dir::{Dir, Type};
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::number;
use crate::error::{Error, Result};
use crate::step::step_of;

/// Control files that grow with what a container does are cut off here.
const LIMIT: u64 = 16 << 20;

const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// An open cgroup directory.
#[derive(Debug)]
pub struct Cgroup {
    fd: OwnedFd,
    path: PathBuf,
}

impl Cgroup {
    /// Opens the cgroup at `path`.
    ///
    /// # Errors
    /// NotFound when it is not there (any more).
    pub fn open(path: impl Into<PathBuf>) -> Result<Cgroup> {
        let path = path.into();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match open(&path, flags, Mode::empty()) {
            Ok(fd) => Ok(Cgroup { fd, path }),
            Err(e) => Err(Error::path("open the cgroup", path)(e.into())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens one of its control files.
    ///
    /// # Errors
    /// The kernel's, with the file's path.
    pub fn file(&self, name: &str, flags: OFlag) -> Result<File> {
        match openat(&self.fd, name, flags | OFlag::O_CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(File::from(fd)),
            Err(e) => Err(Error::path("open", self.path.join(name))(e.into())),
        }
    }

    /// Reads a control file.
    ///
    /// # Errors
    /// The kernel's, with the file's path.
    pub fn read(&self, name: &str) -> Result<String> {
        let mut text = String::with_capacity(256);
        self.file(name, OFlag::O_RDONLY)?
            .take(LIMIT)
            .read_to_string(&mut text)
            .map_err(Error::path("read", self.path.join(name)))?;
        Ok(text)
    }

    /// Reads a control file that holds one number, or `max`, which is the largest.
    ///
    /// # Errors
    /// The kernel's, or that there is something else in it; with the file's path.
    pub fn number(&self, name: &str) -> Result<u64> {
        let text = self.read(name)?;
        number(text.trim()).ok_or_else(|| {
            let why = format!("\"{}\" is no number", text.trim().escape_default());
            Error::path("make sense of", self.path.join(name))(io::Error::new(io::ErrorKind::InvalidData, why))
        })
    }

    /// Writes a value to a control file.
    ///
    /// # Errors
    /// The kernel's, with the file's path and the value.
    pub fn write(&self, name: &str, value: &str) -> Result<()> {
        // One write(2): the kernel takes each as a value of its own.
        let mut file = self.file(name, OFlag::O_WRONLY)?;
        let written = step_of("control", name, || file.write(value.as_bytes()));
        written.map(drop).map_err(|source| Error::Control {
            path: self.path.join(name),
            value: value.to_owned(),
            source,
        })
    }

    /// Whether it has a control file of this name: not every kernel has all.
    pub fn has(&self, name: &str) -> bool {
        nix::sys::stat::fstatat(&self.fd, name, nix::fcntl::AtFlags::empty()).is_ok()
    }

    /// The pids in this cgroup, without those below it; 0 stands for one that this process's pid namespace does not show.
    ///
    /// # Errors
    /// The kernel's, with the file's path.
    pub fn procs(&self) -> Result<Vec<i32>> {
        Ok(self.read("cgroup.procs")?.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// The names of the cgroups right below this one; none when it has been removed.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn below(&self) -> Result<Vec<OsString>> {
        // A directory's link count is two and one for each directory in it.
        if nix::sys::stat::fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 2) {
            return Ok(Vec::new());
        }
        let failed = |e: nix::Error| Error::path("list the cgroup", &self.path)(e.into());
        let mut names = Vec::new();
        let mut dir = match Dir::openat(&self.fd, ".", DIRECTORY, Mode::empty()) {
            Err(nix::Error::ENOENT) => return Ok(names),
            opened => opened.map_err(failed)?,
        };
        for entry in dir.iter() {
            let entry = match entry {
                Err(nix::Error::ENOENT) => return Ok(Vec::new()),
                entry => entry.map_err(failed)?,
            };
            let name = entry.file_name().to_bytes();
            if entry.file_type() == Some(Type::Directory) && name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Opens the one of this name right below. Its path may be longer than a path can be.
    ///
    /// # Errors
    /// NotFound when it is not there (any more).
    pub fn child(&self, name: &OsStr) -> Result<Cgroup> {
        let path = self.path.join(name);
        match openat(&self.fd, name, DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Cgroup { fd, path }),
            Err(e) => Err(Error::path("open the cgroup", path)(e.into())),
        }
    }

    /// Opens the one above.
    ///
    /// # Errors
    /// The kernel's.
    pub fn above(&self) -> Result<Cgroup> {
        let path = self.path.parent().unwrap_or(&self.path).to_path_buf();
        match openat(&self.fd, "..", DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Cgroup { fd, path }),
            Err(e) => Err(Error::path("open the cgroup", path)(e.into())),
        }
    }

    /// Removes the one of this name right below, which must be empty.
    ///
    /// # Errors
    /// The kernel's: EBUSY also for a moment after the last process has ended.
    pub fn remove_child(&self, name: &OsStr) -> io::Result<()> {
        unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir).map_err(io::Error::from)
    }

    /// The cgroups right below this one. None that vanishes meanwhile is an error.
    pub fn children(&self) -> Vec<Cgroup> {
        self.below().unwrap_or_default().iter().filter_map(|name| self.child(name).ok()).collect()
    }

    /// Whether the directory is still in its place: an open one may have been removed.
    pub fn exists(&self) -> bool {
        let here = nix::sys::stat::fstat(&self.fd);
        std::fs::metadata(&self.path).is_ok_and(|m| here.is_ok_and(|stat| stat.st_ino == m.ino()))
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn control_files_are_read_and_written_and_errors_name_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pids.max"), "max\n").unwrap();
        fs::write(dir.path().join("cgroup.procs"), "12\n7\n").unwrap();
        fs::write(dir.path().join("odd"), "1 2\n").unwrap();
        fs::create_dir(dir.path().join("nested")).unwrap();
        let cgroup = Cgroup::open(dir.path()).unwrap();
        assert_eq!(cgroup.number("pids.max").unwrap(), u64::MAX);
        assert_eq!(cgroup.procs().unwrap(), [12, 7]);
        assert!(cgroup.number("odd").unwrap_err().to_string().contains("\"1 2\" is no number"));
        let error = cgroup.write("missing", "1").unwrap_err();
        assert!(error.is_not_found() && error.to_string().contains("missing"), "{error}");
        assert_eq!(cgroup.children().len(), 1);
        assert!(cgroup.has("odd") && !cgroup.has("missing") && cgroup.exists());
    }
}
