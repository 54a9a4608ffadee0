//! The file of a profile: it decides what tasks may do, so no task may decide what is in it.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

use crate::error::{Error, Result};

/// Bytes. The largest profile in common use has 40 KB.
const MOST: u64 = 1 << 20;

/// The profile of this name: its path and text.
///
/// # Errors
/// A name that is no plain file name; a file that is not there, no file, too large, no UTF-8; it or its directory belongs
/// to, or may be written by, others than root and this process's user.
pub(super) fn read(directory: &Path, name: &str) -> Result<(PathBuf, String)> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') || name.chars().any(char::is_control) {
        return Err(Error::Refused(format!(
            "--seccomp_profile_name={} is no name of a file in --seccomp_config_dir, as default.json",
            name.escape_default()
        )));
    }
    let path = directory.join(name);
    let here = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let opened = |path: &Path, result: nix::Result<std::os::fd::OwnedFd>| {
        result.map(File::from).map_err(io::Error::from).map_err(Error::path("open the seccomp profile", path))
    };
    let parent = opened(directory, open(directory, here | OFlag::O_DIRECTORY, Mode::empty()))?;
    // Another file of root's, by a symbolic link, may be anything. A FIFO must not block.
    let flags = here | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = opened(&path, openat(parent.as_fd(), name, flags, Mode::empty()))?;
    for (path, file) in [(directory, &parent), (&path, &file)] {
        let found = file.metadata().map_err(Error::path("look at", path))?;
        if (found.uid() != 0 && found.uid() != geteuid().as_raw()) || found.mode() & 0o022 != 0 {
            return Err(Error::Refused(format!(
                "{} must belong to root and not be writable by others (it is uid {}'s, mode {:04o}): it decides what \
                 containers may do",
                path.display(),
                found.uid(),
                found.mode() & 0o7777
            )));
        }
    }
    let found = file.metadata().map_err(Error::path("look at", &path))?;
    if !found.is_file() || found.len() > MOST {
        let why = if found.is_file() { format!("it has more than {MOST} bytes") } else { "it is no file".into() };
        return Err(Error::Refused(format!("seccomp profile {}: {why}", path.display())));
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).map_err(Error::path("read the seccomp profile", &path))?;
    Ok((path, text))
}
