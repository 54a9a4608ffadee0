//! Files that appear in the sandbox whole or not at all.
//!
//! Every name below the sandbox is resolved one component at a time from an open directory, and no symbolic link is
//! followed: what another URI, an archive or a running container left there cannot direct a file elsewhere.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, close, fchown, fchownat, unlinkat};

use super::{FetchError, FileKind};

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);
const NEW_FILE: OFlag =
    OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_EXCL).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// How many temporary names are tried before giving up: those of fetches that were killed may be left.
const TEMPORARY_NAMES: u32 = 64;

/// The sandbox, open.
#[derive(Debug)]
pub struct Sandbox {
    root: OwnedFd,
    path: PathBuf,
    owner: Option<(Uid, Gid)>,
}

/// A file on its way to its place: removed when this is dropped before [`Place::finish`].
#[derive(Debug)]
pub struct Place {
    directory: OwnedFd,
    temporary: String,
    name: String,
    path: PathBuf,
    owner: Option<(Uid, Gid)>,
    file: Option<File>,
}

impl Sandbox {
    /// Opens the sandbox. With an `owner`, who is not this process's user, everything that is made is given to it.
    ///
    /// # Errors
    /// When it is no directory that can be entered.
    pub fn open(path: &Path, owner: Option<(Uid, Gid)>) -> Result<Self, FetchError> {
        let root = open(path, DIRECTORY, Mode::empty())
            .map_err(|errno| FetchError::Sandbox { path: path.to_owned(), error: errno.into() })?;
        Ok(Self::opened(root, path, owner))
    }

    /// The same for one that is open already; the path is for messages only.
    #[must_use]
    pub fn opened(root: OwnedFd, path: &Path, owner: Option<(Uid, Gid)>) -> Self {
        Self { root, path: path.to_owned(), owner }
    }

    /// Begins a file at `to`: directories that are missing, and at last the name.
    ///
    /// # Errors
    /// When something that is no file stands at the destination or no directory on the way to it, or something cannot be
    /// made.
    pub fn place(&self, to: &[String]) -> Result<Place, FetchError> {
        let (name, directories) = split(to, &self.path)?;
        let mut path = self.path.clone();
        let mut directory = reopen(self.root.as_fd(), &path)?;
        for component in directories {
            path.push(component);
            directory = self.enter(&directory, component, &path)?;
        }
        path.push(name);
        refuse_all_but_files(&directory, name, &path)?;
        let (temporary, file) = temporary(&directory, &path)?;
        Ok(Place { directory, temporary, name: name.clone(), path, owner: self.owner, file: Some(file) })
    }

    /// Opens for reading what was placed at `to`.
    ///
    /// # Errors
    /// When it is not there any more, or somebody has put something else there.
    pub fn read(&self, to: &[String]) -> Result<File, FetchError> {
        let (name, directories) = split(to, &self.path)?;
        let mut path = self.path.clone();
        let mut directory = reopen(self.root.as_fd(), &path)?;
        for component in directories {
            path.push(component);
            directory = openat(&directory, component.as_str(), DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty())
                .map_err(|errno| destination("enter the directory", &path, errno))?;
        }
        path.push(name);
        // Not blocking, so that a FIFO put there meanwhile cannot hold the launch up.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = openat(&directory, name.as_str(), flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| destination("read", &path, errno))?;
        let found =
            file.metadata().map_err(|error| FetchError::Source { path: path.clone(), error, advice: String::new() })?;
        let kind = FileKind::of_mode(found.mode());
        // With root's rights, what is not the user's may be a file that it could not read itself.
        let foreign = self.owner.is_some_and(|(uid, _)| found.uid() != uid.as_raw());
        if kind != FileKind::File || foreign {
            return Err(FetchError::DestinationKind { path, kind });
        }
        Ok(file)
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Whom everything is given to.
    #[must_use]
    pub fn owner(&self) -> Option<(Uid, Gid)> {
        self.owner
    }

    /// Opens the directory `name`, making it where it is missing.
    fn enter(&self, parent: &OwnedFd, name: &str, path: &Path) -> Result<OwnedFd, FetchError> {
        let made = match mkdirat(parent, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(destination("make the directory", path, errno)),
        };
        let directory = openat(parent, name, DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty()).map_err(|errno| {
            match fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| FileKind::of_mode(stat.st_mode)) {
                Ok(kind) if kind != FileKind::Directory => FetchError::DestinationKind { path: path.to_owned(), kind },
                _ => destination("enter the directory", path, errno),
            }
        })?;
        if let Some((uid, gid)) = self.owner.filter(|_| made) {
            fchownat(&directory, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
                .map_err(|errno| destination("give to the user", path, errno))?;
        }
        Ok(directory)
    }
}

impl Place {
    /// The file to be written.
    ///
    /// # Errors
    /// Never before [`Place::finish`].
    pub fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Where it will be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in its place with this mode.
    ///
    /// # Errors
    /// As reported by the system, network file systems among it, which may find a full disk only now.
    pub fn finish(mut self, mode: u32) -> Result<(), FetchError> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        // A failed step leaves `self.file` empty, and the name is removed in `drop` all the same.
        let path = self.path.clone();
        let failed = |action| move |errno| destination(action, &path, errno);
        if let Some((uid, gid)) = self.owner {
            fchown(&file, Some(uid), Some(gid)).map_err(failed.clone()("give to the user"))?;
        }
        // Set on the descriptor, at last: nobody executes or reads half a file, and the umask has no say.
        fchmod(&file, Mode::from_bits_truncate(mode)).map_err(failed.clone()("set the mode of"))?;
        close(file).map_err(failed.clone()("write"))?;
        renameat(&self.directory, self.temporary.as_str(), &self.directory, self.name.as_str())
            .map_err(failed("replace"))?;
        self.temporary.clear();
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.temporary.is_empty() {
            // The fetch has failed for a reason that is being reported; a file left over changes nothing about it.
            let _ = unlinkat(&self.directory, self.temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

fn split<'a>(to: &'a [String], sandbox: &Path) -> Result<(&'a String, &'a [String]), FetchError> {
    to.split_last().ok_or_else(|| destination("name a file in", sandbox, Errno::EINVAL))
}

fn reopen(directory: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, FetchError> {
    directory.try_clone_to_owned().map_err(|error| FetchError::Sandbox { path: path.to_owned(), error })
}

fn temporary(directory: &OwnedFd, path: &Path) -> Result<(String, File), FetchError> {
    let mut error = Errno::EEXIST;
    for number in 0..TEMPORARY_NAMES {
        // Not made from the destination's name, which may have the greatest length already.
        let name = format!(".mesos-ecp-fetch-{}-{number}", std::process::id());
        match openat(directory, name.as_str(), NEW_FILE, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(file) => return Ok((name, File::from(file))),
            Err(Errno::EEXIST) => {}
            Err(errno) => {
                error = errno;
                break;
            }
        }
    }
    Err(destination("create a file beside", path, error))
}

/// A rename would replace a link or a FIFO as well, and nothing would be lost; but whoever put it there expects
/// something else to happen than a file appearing in its place.
fn refuse_all_but_files(directory: &OwnedFd, name: &str, path: &Path) -> Result<(), FetchError> {
    match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| FileKind::of_mode(stat.st_mode)) {
        Ok(FileKind::File) | Err(Errno::ENOENT) => Ok(()),
        Ok(kind) => Err(FetchError::DestinationKind { path: path.to_owned(), kind }),
        Err(errno) => Err(destination("look at", path, errno)),
    }
}

fn destination(action: &'static str, path: &Path, errno: Errno) -> FetchError {
    let error = io::Error::from(errno);
    FetchError::Destination { action, path: path.to_owned(), advice: advice_on_space(&error), error }
}

/// What to do about a failed write, with the punctuation that joins it to a message; or nothing.
#[must_use]
pub fn advice_on_space(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "; make room on the agent's work_dir".to_owned(),
        Some(libc::EDQUOT) => "; the quota of the sandbox is used up: ask for more disk".to_owned(),
        Some(libc::EFBIG) => "; the file is larger than the file system or a resource limit allows".to_owned(),
        _ => String::new(),
    }
}
