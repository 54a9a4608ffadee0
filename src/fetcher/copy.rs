//! Copies files of this host into the sandbox.
//!
//! Every name below the sandbox is resolved one component at a time from an open directory, and no symbolic link is
//! followed: what another URI, an archive or a running container left there cannot direct a copy elsewhere.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, close, unlinkat};

use super::plan::Local;
use super::{FetchError, FileKind};

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);
const NEW_FILE: OFlag =
    OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_EXCL).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// How many temporary names are tried before giving up: those of fetches that were killed may be left.
const TEMPORARY_NAMES: u32 = 64;

/// The sandbox, open.
pub(super) struct Sandbox<'a> {
    root: OwnedFd,
    path: &'a Path,
    user: Option<&'a str>,
}

/// A file that is removed unless it is put in its place.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: String,
    placed: bool,
}

impl<'a> Sandbox<'a> {
    /// `user` is only for messages: this process already runs as that account.
    pub(super) fn open(path: &'a Path, user: Option<&'a str>) -> Result<Self, FetchError> {
        let root = open(path, DIRECTORY, Mode::empty())
            .map_err(|errno| FetchError::Sandbox { path: path.to_owned(), error: errno.into() })?;
        Ok(Self { root, path, user })
    }

    /// Copies one file; the destination is the whole of it or what it was before.
    pub(super) fn copy(&self, local: &Local) -> Result<(), FetchError> {
        let (mut source, mode) = self.open_source(local)?;
        let Some((name, directories)) = local.to.split_last() else {
            return Ok(());
        };
        let mut path = self.path.to_owned();
        let mut entered = None;
        for directory in directories {
            path.push(directory);
            entered = Some(enter(entered.as_ref().unwrap_or(&self.root), directory, &path)?);
        }
        let directory = entered.as_ref().unwrap_or(&self.root);
        path.push(name);
        refuse_all_but_files(directory, name, &path)?;

        let (mut temporary, mut target) = Temporary::make(directory, &path)?;
        let broke_off = |error: io::Error| FetchError::Copy {
            advice: advice_on_space(&error),
            from: local.from.clone(),
            to: path.clone(),
            error,
        };
        io::copy(&mut source, &mut target).map_err(broke_off)?;
        // Set on the descriptor, at last: nobody executes or reads half a file, and the umask has no say.
        fchmod(&target, Mode::from_bits_truncate(mode)).map_err(|errno| broke_off(errno.into()))?;
        // Network file systems may report a full disk or quota only here.
        close(target).map_err(|errno| broke_off(errno.into()))?;
        renameat(directory, temporary.name.as_str(), directory, name.as_str())
            .map_err(|errno| destination("replace", &path, errno))?;
        temporary.placed = true;
        Ok(())
    }

    /// The file to read, and the mode of its copy.
    fn open_source(&self, local: &Local) -> Result<(File, u32), FetchError> {
        let path = local.from.as_path();
        let unreadable = |error: io::Error| FetchError::Source {
            path: path.to_owned(),
            advice: self.advice_on_source(&error),
            error,
        };
        // Asked before as well as after opening: to open a device can be an action in itself (a tape, a watchdog).
        let kind = FileKind::of_mode(std::fs::metadata(path).map_err(unreadable)?.mode());
        if kind != FileKind::File {
            return Err(FetchError::SourceKind { path: path.to_owned(), kind });
        }
        // Not blocking, so that a FIFO put there meanwhile cannot hold the launch up.
        let source = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(unreadable)?;
        let mode = source.metadata().map_err(unreadable)?.mode();
        let kind = FileKind::of_mode(mode);
        if kind != FileKind::File {
            return Err(FetchError::SourceKind { path: path.to_owned(), kind });
        }
        // Never more than what the source grants, never writable for others, never setuid or setgid.
        Ok((source, if local.executable { 0o755 } else { mode & 0o755 }))
    }

    fn advice_on_source(&self, error: &io::Error) -> String {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => match self.user {
                Some(user) => format!(" (fetched as user {user}, who may not read it)"),
                None => " (fetched as the account that mesos-ecp runs as, which may not read it)".to_owned(),
            },
            Some(libc::ENOENT) => "; it has to be on this host, for instance on a shared file system".to_owned(),
            _ => String::new(),
        }
    }
}

impl<'a> Temporary<'a> {
    fn make(directory: &'a OwnedFd, path: &Path) -> Result<(Self, File), FetchError> {
        let mut error = Errno::EEXIST;
        for number in 0..TEMPORARY_NAMES {
            // Not made from the destination's name, which may have the greatest length already.
            let name = format!(".mesos-ecp-fetch-{}-{number}", std::process::id());
            match openat(directory, name.as_str(), NEW_FILE, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(file) => {
                    let temporary = Self { directory, name, placed: false };
                    return Ok((temporary, File::from(file)));
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => {
                    error = errno;
                    break;
                }
            }
        }
        Err(destination("create a file beside", path, error))
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.placed {
            // The fetch has failed for a reason that is being reported; a file left over changes nothing about it.
            let _ = unlinkat(self.directory, self.name.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Opens the directory `name`, making it where it is missing.
fn enter(parent: &OwnedFd, name: &str, path: &Path) -> Result<OwnedFd, FetchError> {
    match mkdirat(parent, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(destination("make the directory", path, errno)),
    }
    openat(parent, name, DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty()).map_err(|errno| {
        match fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| FileKind::of_mode(stat.st_mode)) {
            Ok(kind) if kind != FileKind::Directory => FetchError::DestinationKind { path: path.to_owned(), kind },
            _ => destination("enter the directory", path, errno),
        }
    })
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
    FetchError::Destination { action, path: PathBuf::from(path), advice: advice_on_space(&error), error }
}

fn advice_on_space(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "; make room on the agent's work_dir".to_owned(),
        Some(libc::EDQUOT) => "; the quota of the sandbox is used up: ask for more disk".to_owned(),
        Some(libc::EFBIG) => "; the file is larger than the file system or a resource limit allows".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
