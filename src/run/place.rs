//! The sandbox of a container that no agent made one for.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

use crate::cgroup::{MOUNTINFO, mounted_below};
use crate::config::Config;
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::launcher::Account;

/// Every user gets through to their own sandbox, and nobody can list the others.
const PARENTS: u32 = 0o711;
/// Agents' sandboxes are like that.
const SANDBOX: u32 = 0o750;

/// Where a container runs.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    is_new: bool,
}

impl Place {
    /// The directory that was named, which is absolute, or a new one. Makes nothing.
    ///
    /// # Errors
    /// When there is no place for new ones.
    pub(super) fn choose(named: Option<&Path>, config: &Config, id: &ContainerId) -> Result<Place> {
        if let Some(path) = named {
            return Ok(Place { path: path.to_owned(), is_new: false });
        }
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = match &config.work_dir {
            Some(work_dir) => Some(work_dir.clone()),
            None if geteuid().is_root() => Some("/var/lib/mesos-ecp".into()),
            None => variable("XDG_STATE_HOME")
                .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
                .map(|state| state.join("mesos-ecp")),
        };
        let home = home.ok_or_else(|| {
            let text =
                "there is no place for the sandbox: neither XDG_STATE_HOME nor HOME is set; name one by --sandbox=PATH";
            Error::Refused(text.into())
        })?;
        Ok(Place { path: home.join("sandboxes").join(id.as_str()), is_new: true })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is made for this container.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Makes a new one and gives it to the container's user.
    ///
    /// # Errors
    /// When something cannot be made.
    pub(super) fn make(&self, account: &Account) -> Result<()> {
        if !self.is_new {
            return Ok(());
        }
        if let Some(parent) = self.path.parent() {
            make_all(parent)?;
        }
        let made = make(&self.path, SANDBOX).map_err(Error::path("make the sandbox", &self.path))?;
        if account.credentials.is_some() {
            let (uid, gid) = account.owner();
            fchown(&made, Some(uid.as_raw()), Some(gid.as_raw()))
                .map_err(Error::path("give to the container's user", &self.path))?;
        }
        Ok(())
    }

    /// Removes one that was made here. Nothing of the container may run any more.
    ///
    /// # Errors
    /// When something in it cannot be removed, or something is mounted in it: what is seen there is kept elsewhere.
    pub(super) fn remove(&self) -> Result<()> {
        if !self.is_new {
            return Ok(());
        }
        let removed = match fs::canonicalize(&self.path) {
            Ok(path) => {
                if let Some(mount) = mounted_below(Path::new(MOUNTINFO), &path)? {
                    return Err(Error::Refused(format!(
                        "the sandbox {} is not removed: {} is still mounted; unmount it and remove the sandbox",
                        self.path.display(),
                        mount.display()
                    )));
                }
                fs::remove_dir_all(&self.path)
            }
            Err(e) => Err(e),
        };
        match removed {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::path("remove the sandbox", &self.path)(e)),
            _ => Ok(()),
        }
    }
}

/// Makes a directory and those above it, where they are missing.
fn make_all(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_all(parent)?;
    }
    match make(path, PARENTS) {
        // Another run was faster.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop).map_err(Error::path("make", path)),
    }
}

/// Whatever the umask is. What somebody put there instead meanwhile is not followed.
fn make(path: &Path, mode: u32) -> std::io::Result<File> {
    DirBuilder::new().mode(0o700).create(path)?;
    let made = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)?;
    made.set_permissions(Permissions::from_mode(mode))?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_sandbox_comes_and_goes_and_a_named_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        let account = Account { name: None, credentials: None };
        let place = Place { path: path.clone(), is_new: true };
        place.make(&account).unwrap();
        assert!(place.make(&account).unwrap_err().to_string().starts_with("cannot make the sandbox"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode(&dir.path().join("a")), mode(&dir.path().join("a/b")), mode(&path)], [0o711, 0o711, 0o750]);
        fs::write(path.join("file"), "").unwrap();
        let named = Place { path: path.clone(), is_new: false };
        named.make(&account).unwrap();
        named.remove().unwrap();
        assert!(path.join("file").exists());
        place.remove().unwrap();
        place.remove().unwrap();
        assert!(!path.exists() && dir.path().join("a/b").exists());
    }
}
