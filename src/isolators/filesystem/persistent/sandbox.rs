//! The sandbox, in which volumes get their places. Its user may change anything in it at any time.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::readlinkat;
use nix::sys::stat::fstat;
use nix::unistd::{Gid, Uid, UnlinkatFlags, symlinkat, unlinkat};

use super::source::identity;
use crate::error::{Error, Result};
use crate::paths::{Beneath, Owner};
use crate::step::step;

/// An open sandbox.
#[derive(Debug)]
pub(super) struct Sandbox<'a> {
    path: &'a Path,
    directory: File,
    /// Its owner: the container's user.
    pub(super) owner: (Uid, Gid),
    /// st_dev and st_ino.
    pub(super) identity: (u64, u64),
}

impl<'a> Sandbox<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn open(path: &'a Path) -> Result<Sandbox<'a>> {
        let directory = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(path)
            .map_err(Error::path("open the sandbox", path))?;
        let stat = fstat(&directory).map_err(|e| Error::path("look at the sandbox", path)(e.into()))?;
        let owner = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        Ok(Sandbox { path, directory, owner, identity: identity(&stat) })
    }

    fn beneath(&self) -> Beneath<'_> {
        Beneath::new(self.directory.as_fd(), self.path)
    }

    /// The directory that holds this path, and its last name. `make`: with the directories that are missing.
    fn holder<'p>(&self, at: &'p Path, make: bool) -> Result<(OwnedFd, &'p OsStr)> {
        let above = at.parent().filter(|above| !above.as_os_str().is_empty());
        let holder = match above {
            None => self.directory.as_fd().try_clone_to_owned().map_err(Error::path("open", self.path))?,
            Some(above) if make => self.beneath().make_directory(above, self.directories())?,
            Some(above) => self.beneath().open(above)?,
        };
        Ok((holder, at.file_name().unwrap_or_default()))
    }

    fn directories(&self) -> Owner {
        Owner { uid: self.owner.0, gid: self.owner.1, mode: 0o755 }
    }

    /// Makes the directory on which a volume is mounted. One that is there stays, and what is in it is hidden.
    ///
    /// # Errors
    /// When there is anything else; a link is not followed.
    pub(super) fn make_mount_point(&self, at: &Path) -> Result<()> {
        self.beneath().make_directory(at, self.directories()).map(drop)
    }

    /// Removes the directory if nothing is in it.
    pub(super) fn remove_mount_point(&self, at: &Path) {
        if let Ok((holder, name)) = self.holder(at, false) {
            // It is the user's by now: whatever is wrong with it is not ours to complain about.
            let _ = step("volume place away", || unlinkat(&holder, name, UnlinkatFlags::RemoveDir));
        }
    }

    /// Makes a symbolic link. One that is there and leads there, too, is as good.
    ///
    /// # Errors
    /// When something else is there.
    pub(super) fn link(&self, at: &Path, target: &Path) -> Result<()> {
        let (holder, name) = self.holder(at, true)?;
        match step("volume link", || symlinkat(target, &holder, name)) {
            Ok(()) => Ok(()),
            Err(Errno::EEXIST) if leads_to(&holder, name, target) => Ok(()),
            Err(Errno::EEXIST) => Err(Error::Refused(format!(
                "cannot make the symbolic link {} to {}: there is something else of that name",
                self.path.join(at).display(),
                target.display()
            ))),
            Err(e) => Err(Error::path("make the symbolic link", self.path.join(at))(e.into())),
        }
    }

    /// Removes a link that leads there. What the user has put in its place stays.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn unlink(&self, at: &Path, target: &Path) -> Result<()> {
        let (holder, name) = match self.holder(at, false) {
            Ok(found) => found,
            // The user has removed the directory, or put a link in its place.
            Err(_) => return Ok(()),
        };
        if !leads_to(&holder, name, target) {
            return Ok(());
        }
        match step("volume link away", || unlinkat(&holder, name, UnlinkatFlags::NoRemoveDir)) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(e) => Err(Error::path("remove the symbolic link", self.path.join(at))(io::Error::from(e))),
        }
    }
}

fn leads_to(holder: &OwnedFd, name: &OsStr, target: &Path) -> bool {
    readlinkat(holder, name).is_ok_and(|found| found == target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(dir.path()).unwrap();
        let target = Path::new("/volumes/x");
        for at in ["data", "deep/er/data"] {
            let at = Path::new(at);
            sandbox.link(at, target).unwrap();
            sandbox.link(at, target).unwrap();
            assert_eq!(fs::read_link(dir.path().join(at)).unwrap(), target);
            assert!(sandbox.link(at, Path::new("/volumes/y")).unwrap_err().to_string().contains("something else"));
            sandbox.unlink(at, Path::new("/volumes/y")).unwrap();
            assert!(fs::read_link(dir.path().join(at)).is_ok(), "not ours");
            sandbox.unlink(at, target).unwrap();
            sandbox.unlink(at, target).unwrap();
            assert!(fs::read_link(dir.path().join(at)).is_err());
        }
        sandbox.unlink(Path::new("no/such/directory"), target).unwrap();
    }

    #[test]
    fn the_users_links_lead_nowhere() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), dir.path().join("data")).unwrap();
        let sandbox = Sandbox::open(dir.path()).unwrap();
        let target = outside.path().join("target");
        symlink(&target, outside.path().join("link")).unwrap();
        for at in ["data", "data/link", "data/new"] {
            assert!(sandbox.make_mount_point(Path::new(at)).is_err());
            assert!(sandbox.link(Path::new(at), &target).is_err());
            sandbox.unlink(Path::new(at), &target).unwrap();
            sandbox.remove_mount_point(Path::new(at));
        }
        let left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["link"]);
        fs::write(dir.path().join("file"), "kept").unwrap();
        assert!(sandbox.link(Path::new("file"), &target).is_err());
        sandbox.unlink(Path::new("file"), &target).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "kept");
    }

    #[test]
    fn mount_points_are_removed_only_empty() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(dir.path()).unwrap();
        let at = Path::new("a/b");
        sandbox.make_mount_point(at).unwrap();
        fs::write(dir.path().join("a/b/file"), "").unwrap();
        sandbox.remove_mount_point(at);
        assert!(dir.path().join("a/b/file").exists());
        fs::remove_file(dir.path().join("a/b/file")).unwrap();
        sandbox.remove_mount_point(at);
        assert!(!dir.path().join("a/b").exists() && dir.path().join("a").exists());
    }
}
