//! The sandbox as the first process gets it: its directory, and the standard streams.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl, openat};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::unistd::{Gid, Uid, fchown};

use super::Account;
use crate::error::{Error, Result};

/// An open sandbox. All of it is opened before anything of the container's runs.
#[derive(Debug)]
pub struct Sandbox {
    /// The directory.
    pub directory: File,
    /// What the first process gets as 0, 1 and 2.
    pub streams: Streams,
}

/// The standard streams of a container's first process. They are open in its supervisor no longer than it takes to start
/// it, so that whoever reads a pipe sees its end.
#[derive(Debug)]
pub struct Streams {
    /// /dev/null, or a pipe to read.
    pub stdin: OwnedFd,
    /// `stdout` in the sandbox, appended to, or a pipe to write.
    pub stdout: OwnedFd,
    /// `stderr` in the sandbox, appended to, or a pipe to write.
    pub stderr: OwnedFd,
}

impl Sandbox {
    /// Opens the sandbox at `path`. Without `given` streams stdin is /dev/null, and the two files are made where missing and
    /// given to the user.
    ///
    /// # Errors
    /// When the directory is not there, or `stdout` or `stderr` is anything but a regular file with one name (a link would
    /// lead the container's output, written as the user, to where root opened it).
    pub fn open(path: &Path, account: &Account, given: Option<Streams>) -> Result<Sandbox> {
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC)
            .open(path)
            .map_err(Error::path("open the sandbox", path))?;
        if let Some(streams) = given {
            streams.give(account)?;
            return Ok(Sandbox { directory, streams });
        }
        let stdin = File::open("/dev/null").map_err(Error::path("open", "/dev/null"))?.into();
        let stdout = output(&directory, path, "stdout", account)?;
        let stderr = output(&directory, path, "stderr", account)?;
        Ok(Sandbox { directory, streams: Streams { stdin, stdout, stderr } })
    }

    /// For a container with a user namespace, whose user is `owner` outside: opens the output again in `tree`, the same
    /// directory mounted so that it shows the owners as the container sees them, and gives pipes to the owner. Who opens
    /// /dev/stdout inside is asked for the rights that there are by way of this mount.
    ///
    /// # Errors
    /// Those of open(2) and fchown(2).
    pub fn open_again_in(&mut self, tree: BorrowedFd<'_>, owner: Option<(Uid, Gid)>) -> Result<()> {
        let failed = Error::system("open the container's output in its user namespace");
        self.streams.give_to(owner)?;
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let same = |a: BorrowedFd<'_>, b: BorrowedFd<'_>| -> nix::Result<bool> {
            let (a, b) = (fstat(a)?, fstat(b)?);
            Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
        };
        let again = |name: &str, stream: &mut OwnedFd| -> nix::Result<()> {
            // A stream that launch gave, or a file that was renamed meanwhile, stays what it is.
            if let Ok(fd) = openat(tree, name, flags, Mode::empty())
                && same(fd.as_fd(), stream.as_fd())?
            {
                fcntl(fd.as_fd(), FcntlArg::F_SETFL(OFlag::O_APPEND))?;
                *stream = fd;
            }
            Ok(())
        };
        again("stdout", &mut self.streams.stdout)
            .and_then(|()| again("stderr", &mut self.streams.stderr))
            .map_err(failed)
    }
}

impl Streams {
    /// Gives the pipes among them to the container's user, who could not open /dev/stdout otherwise.
    fn give(&self, account: &Account) -> Result<()> {
        self.give_to(account.credentials.as_ref().map(|_| account.owner()))
    }

    fn give_to(&self, owner: Option<(Uid, Gid)>) -> Result<()> {
        let Some((uid, gid)) = owner else {
            return Ok(());
        };
        for fd in [&self.stdin, &self.stdout, &self.stderr] {
            let kind = fstat(fd).map_err(Error::system("look at the container's streams"))?.st_mode & libc::S_IFMT;
            if kind == libc::S_IFIFO {
                fchown(fd, Some(uid), Some(gid)).map_err(Error::system("give the container's streams to its user"))?;
            }
        }
        Ok(())
    }
}

/// Adds to the `stderr` of the sandbox at `path`, if there is one. By whoever has something to say to the container's people after its
/// start: all that is in the sandbox may be the container's doing.
///
/// # Errors
/// When it is not there, or is anything but a regular file with one name.
pub fn append_to_stderr(path: &Path, text: &[u8]) -> Result<()> {
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC)
        .open(path)
        .map_err(Error::path("open the sandbox", path))?;
    let (mut file, path) = checked(&directory, path, "stderr", OFlag::empty())?;
    file.write_all(text).map_err(Error::path("write", path))
}

fn output(directory: &File, sandbox: &Path, name: &str, account: &Account) -> Result<OwnedFd> {
    let (file, path) = checked(directory, sandbox, name, OFlag::O_CREAT)?;
    let found = file.metadata().map_err(Error::path("look at", &path))?;
    let (uid, gid) = account.owner();
    if (found.uid(), found.gid()) != (uid.as_raw(), gid.as_raw()) {
        fchown(file.as_fd(), Some(uid), Some(gid))
            .map_err(|e| Error::path("give to the container's user", &path)(e.into()))?;
    }
    // The container gets an ordinary, blocking descriptor.
    fcntl(file.as_fd(), FcntlArg::F_SETFL(OFlag::O_APPEND)).map_err(|e| Error::path("set up", &path)(e.into()))?;
    Ok(file.into())
}

/// Opens an output file for appending, not blocking, and says what its path is.
fn checked(directory: &File, sandbox: &Path, name: &str, create: OFlag) -> Result<(File, PathBuf)> {
    let path: PathBuf = sandbox.join(name);
    // O_NONBLOCK: a FIFO planted there must not make the open wait for a reader.
    let mut flags =
        OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | create;
    let weak = crate::weaken::is("links");
    flags.set(OFlag::O_NOFOLLOW, !weak);
    let refuse = |what: &str| {
        Err(Error::Refused(format!(
            "{} is {what}: the container's output goes only to a regular file of its own; remove it",
            path.display()
        )))
    };
    let file = match openat(directory.as_fd(), name, flags, Mode::from_bits_truncate(0o644)) {
        Ok(fd) => File::from(fd),
        Err(nix::Error::ELOOP) => return refuse("a symbolic link"),
        Err(nix::Error::ENXIO) => return refuse("a FIFO or device"),
        Err(nix::Error::EISDIR) => return refuse("a directory"),
        Err(e) => {
            return Err(Error::path("open for the container's output", &path)(e.into()));
        }
    };
    let found = file.metadata().map_err(Error::path("look at", &path))?;
    if !found.is_file() {
        return refuse("not a regular file");
    }
    // Of the name, after the open, in one look: if the file has but one name and that is this one, it cannot be somebody
    // else's file that was linked here for the moment of the open.
    let named = fstatat(directory.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW)
        .map_err(|e| Error::path("look at", &path)(e.into()))?;
    if !weak && ((named.st_dev, named.st_ino) != (found.dev(), found.ino()) || named.st_nlink != 1) {
        return refuse("a file with another name elsewhere (a hard link)");
    }
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn open(path: &Path) -> Result<Sandbox> {
        Sandbox::open(path, &Account { name: None, credentials: None }, None)
    }

    #[test]
    fn output_is_appended() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("stdout"), "before\n").unwrap();
        let sandbox = open(dir.path()).unwrap();
        File::from(sandbox.streams.stdout).write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("stdout")).unwrap(), "before\nafter\n");
        assert_eq!(fs::metadata(dir.path().join("stderr")).unwrap().mode() & 0o777, 0o644);
    }

    #[test]
    fn links_fifos_and_directories_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, stdout) = (dir.path().join("victim"), dir.path().join("stdout"));
        fs::write(&victim, "untouched").unwrap();
        let refused = |word: &str| {
            let error = open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("stdout"), "{error}");
        };
        std::os::unix::fs::symlink(&victim, &stdout).unwrap();
        refused("symbolic link");
        fs::remove_file(&stdout).unwrap();
        fs::hard_link(&victim, &stdout).unwrap();
        refused("hard link");
        fs::remove_file(&stdout).unwrap();
        nix::unistd::mkfifo(&stdout, Mode::from_bits_truncate(0o644)).unwrap();
        refused("FIFO");
        fs::remove_file(&stdout).unwrap();
        fs::create_dir(&stdout).unwrap();
        refused("directory");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(open(&dir.path().join("missing")).unwrap_err().is_not_found());
    }
}
