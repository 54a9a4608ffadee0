//! The sandbox and the root that a container's volumes are put into.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid};

use crate::error::{Error, Result};
use crate::isolators::filesystem::root::RootDirectory;
use crate::paths::{Beneath, Owner, trusted};

/// See the module.
#[derive(Debug)]
pub(in crate::isolators::filesystem) struct Place<'a> {
    /// On the host, canonical.
    pub(super) sandbox: PathBuf,
    directory: OwnedFd,
    /// As the container sees it.
    pub(super) seen: PathBuf,
    /// None: that of the host.
    pub(super) root: Option<&'a RootDirectory>,
    /// What is made in the sandbox belongs to the container's user.
    pub(super) user: (Uid, Gid),
}

impl<'a> Place<'a> {
    /// In the host's file systems.
    ///
    /// # Errors
    /// A sandbox that cannot be opened.
    pub(in crate::isolators::filesystem) fn new(sandbox: &Path, user: (Uid, Gid)) -> Result<Self> {
        // Only the agent's own directories are above it.
        let sandbox = std::fs::canonicalize(sandbox).map_err(Error::path("find the sandbox", sandbox))?;
        let found = trusted(&sandbox)?;
        Ok(Place { sandbox: found.path.clone(), directory: found.fd, seen: found.path, root: None, user })
    }

    /// In a root file system of the container's own, where the sandbox will be at `seen` (canonical).
    pub(in crate::isolators::filesystem) fn in_root(self, root: &'a RootDirectory, seen: PathBuf) -> Self {
        Place { seen, root: Some(root), ..self }
    }

    /// The same where all goes into the sandbox, which the container sees at `seen`.
    pub(in crate::isolators::filesystem) fn with_sandbox_at(self, seen: PathBuf) -> Self {
        Place { seen, ..self }
    }

    /// The path that a record has for a place in the container. In the sandbox of a container with a root directory of its own
    /// it is made relative: nothing but the sandbox knows what is there.
    pub(super) fn within(&self, path: PathBuf) -> PathBuf {
        let rest = path.strip_prefix(&self.seen).ok().filter(|rest| !rest.as_os_str().is_empty());
        rest.filter(|_| self.root.is_some()).map(Path::to_path_buf).unwrap_or(path)
    }

    /// What is in the sandbox.
    pub(super) fn beneath(&self) -> Beneath<'_> {
        Beneath::new(self.directory.as_fd(), &self.sandbox)
    }

    /// The user, and these permissions.
    pub(super) fn owner(&self, mode: u32) -> Owner {
        Owner { uid: self.user.0, gid: self.user.1, mode }
    }
}
