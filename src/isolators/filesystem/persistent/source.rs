//! The directories in which agents keep persistent volumes.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::unistd::Uid;

use super::volume::Volume;
use crate::error::{Error, Result};
use crate::paths::Beneath;

/// An open directory of a volume.
#[derive(Debug)]
pub(super) struct Source {
    /// Of O_PATH.
    pub(super) fd: OwnedFd,
    /// As the agent has it.
    pub(super) path: PathBuf,
    /// st_dev and st_ino.
    pub(super) identity: (u64, u64),
    /// Its owner.
    pub(super) owner: Uid,
}

/// Where the volume is on the host.
///
/// # Errors
/// When it is below the agent's work_dir, and nobody knows where that is.
pub(super) fn path(volume: &Volume, work_dir: Option<&Path>) -> Result<PathBuf> {
    let base = base(volume, work_dir)?;
    Ok(if volume.below.as_os_str().is_empty() { base.to_path_buf() } else { base.join(&volume.below) })
}

fn base<'a>(volume: &'a Volume, work_dir: Option<&'a Path>) -> Result<&'a Path> {
    volume.base.as_deref().or(work_dir).ok_or_else(|| {
        Error::Refused(format!(
            "{}: where the agent keeps it is not known, since the sandbox is in no agent's work_dir; name that by \
             --work_dir=PATH",
            volume.name
        ))
    })
}

/// Opens the directory of a volume. The agent has made it; what is above it is the agent's, too, so no link is followed
/// between the disk and the volume.
///
/// # Errors
/// When it is not there, or no directory.
pub(super) fn open(volume: &Volume, work_dir: Option<&Path>) -> Result<Source> {
    let base = base(volume, work_dir)?;
    let path = path(volume, work_dir)?;
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
        .open(base)
        .map_err(Error::path("open", base))
        .and_then(|disk| {
            if volume.below.as_os_str().is_empty() {
                return Ok(disk.into());
            }
            Beneath::new(disk.as_fd(), base).open(&volume.below)
        });
    let fd: OwnedFd = match opened {
        Err(e) if e.is_not_found() => {
            return Err(Error::Refused(format!(
                "{}: {} is not there; the agent makes it before it uses the volume: is its work_dir (--work_dir, \
                 MESOS_WORK_DIRECTORY) another one, or a disk not mounted?",
                volume.name,
                path.display()
            )));
        }
        opened => opened?,
    };
    let stat = fstat(&fd).map_err(|e| Error::path("look at the persistent volume", &path)(e.into()))?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFDIR {
        return Err(Error::Refused(format!("{}: {} is no directory", volume.name, path.display())));
    }
    Ok(Source { fd, path, identity: identity(&stat), owner: Uid::from_raw(stat.st_uid) })
}

/// What tells a directory from all others.
pub(super) fn identity(stat: &FileStat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// The agent's work_dir: the one that is set, by which its calls find the container, too; else the one that the sandbox is in.
pub(super) fn work_dir(set: Option<&Path>, sandbox: &Path) -> Option<PathBuf> {
    set.map_or_else(|| work_dir_of(sandbox), |set| Some(set.to_path_buf()))
}

/// The agent's work_dir, as it is in the name of every sandbox:
/// `<work_dir>/slaves/<id>/frameworks/<id>/executors/<id>/runs/<id>`.
fn work_dir_of(sandbox: &Path) -> Option<PathBuf> {
    let mut left = sandbox;
    for word in ["runs", "executors", "frameworks", "slaves"] {
        left = left.parent().filter(|above| above.file_name().is_some_and(|name| name == word))?.parent()?;
    }
    left.is_absolute().then(|| left.to_path_buf())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn volume(base: Option<PathBuf>, below: &str) -> Volume {
        Volume { name: "V".into(), base, below: below.into(), at: "data".into(), read_only: false }
    }

    #[test]
    fn the_work_dir_is_in_the_sandboxs_name() {
        let of = |sandbox: &str| work_dir_of(Path::new(sandbox));
        assert_eq!(of("/w/d/slaves/S/frameworks/F/executors/runs/runs/C"), Some("/w/d".into()));
        assert_eq!(of("/slaves/x/slaves/S/frameworks/F/executors/E/runs/C"), Some("/slaves/x".into()));
        for other in
            ["/slaves/S/frameworks/F/executors/E/run/C", "/home/me", "slaves/S/frameworks/F/executors/E/runs/C"]
        {
            assert!(of(other).is_none_or(|dir| dir.is_absolute() && !other.starts_with("/home")), "{other}");
        }
        assert_eq!(of("/home/me"), None);
        assert_eq!(of("/slaves/S/frameworks/F/executors/E/run/C"), None);
    }

    #[test]
    fn only_a_directory_that_is_there_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path();
        std::fs::create_dir_all(base.join("volumes/roles/r/id")).unwrap();
        std::fs::write(base.join("volumes/roles/r/file"), "").unwrap();
        std::os::unix::fs::symlink("id", base.join("volumes/roles/r/link")).unwrap();
        let open = |below: &str| open(&volume(None, below), Some(base)).map_err(|e| e.to_string());
        assert_eq!(open("volumes/roles/r/id").unwrap().path, base.join("volumes/roles/r/id"));
        let text = open("volumes/roles/r/none").unwrap_err();
        assert!(text.contains("volumes/roles/r/none is not there; the agent makes it"), "{text}");
        assert!(open("volumes/roles/r/file").unwrap_err().contains("no directory"));
        assert!(open("volumes/roles/r/link").unwrap_err().contains("symbolic link"));
        let own = super::open(&volume(Some(base.into()), ""), None).unwrap();
        assert_eq!(own.path, base);
        assert!(super::open(&volume(None, "x"), None).unwrap_err().to_string().contains("--work_dir"));
    }
}
