//! The directory itself, by its descriptor.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, geteuid, unlinkat};

const SAFE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// A directory that only its user can write to.
#[derive(Debug)]
pub struct Directory {
    directory: File,
    owner: Option<(Uid, Gid)>,
}

impl Directory {
    pub fn new(directory: File, owner: Option<(Uid, Gid)>) -> Directory {
        Directory { directory, owner }
    }

    /// A file for reading; None when there is none.
    pub fn open(&self, name: &str) -> io::Result<Option<File>> {
        let file = match openat(&self.directory, name, OFlag::O_RDONLY | SAFE, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        self.check(&file, name)?;
        Ok(Some(file))
    }

    /// A new file.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | SAFE;
        self.given(File::from(openat(&self.directory, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
    }

    /// A file that may be there or not.
    pub fn open_or_create(&self, name: &str) -> io::Result<File> {
        loop {
            match openat(&self.directory, name, OFlag::O_RDWR | SAFE, Mode::empty()) {
                Ok(file) => {
                    let file = File::from(file);
                    // One that root has just made, and not given away yet, is as good.
                    if self.owner.is_none_or(|_| file.metadata().is_ok_and(|found| found.uid() != geteuid().as_raw())) {
                        self.check(&file, name)?;
                    }
                    return Ok(file);
                }
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
            match self.create(name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
    }

    /// What stands there, whatever it is: device and inode.
    pub fn identity(&self, name: &str) -> io::Result<Option<(u64, u64)>> {
        match fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some((found.st_dev, found.st_ino))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.directory, from, &self.directory, to)?)
    }

    /// That it is not there is fine.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// All names that are text; others are none of ours.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory = Dir::openat(&self.directory, ".", flags, Mode::empty())?;
        let entries: Result<Vec<_>, Errno> = directory.iter().collect();
        Ok(entries?.iter().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned)).collect())
    }

    fn given(&self, file: File) -> io::Result<File> {
        if let Some((uid, gid)) = self.owner {
            fchown(&file, Some(uid), Some(gid))?;
        }
        Ok(file)
    }

    /// With root's rights, a link to a file that the user could not read itself would be a way to read it.
    fn check(&self, file: &File, name: &str) -> io::Result<()> {
        let found = file.metadata()?;
        let owner = self.owner.map_or_else(geteuid, |(uid, _)| uid);
        if found.is_file() && found.uid() == owner.as_raw() && found.mode() & 0o022 == 0 {
            return Ok(());
        }
        Err(io::Error::other(format!("{name} in it is no plain file of uid {owner} that only it can write to")))
    }
}
