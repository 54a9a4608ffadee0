//! Persistent volumes as directories of the host, for who measures them.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::source;
use super::volume::{self, Volume};
use crate::error::Result;
use crate::isolator::Container;
use crate::protocol::mesos::Resource;

/// The directory of a persistent volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    volume: Volume,
    work_dir: Option<PathBuf>,
}

impl Directory {
    /// Of a `disk` resource of the container; None: it is space in the sandbox. `work_dir`: the agent's, if it is known.
    ///
    /// # Errors
    /// A resource that is no volume.
    pub fn of(resource: &Resource, container: &Container<'_>, work_dir: Option<&Path>) -> Result<Option<Directory>> {
        let Some(volume) = volume::volume(resource)? else { return Ok(None) };
        Ok(Some(Directory { volume, work_dir: source::work_dir(work_dir, container.sandbox) }))
    }

    /// Where the container has it, below its sandbox.
    pub fn at(&self) -> &Path {
        &self.volume.at
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.volume.name
    }

    /// Where it is on the host.
    ///
    /// # Errors
    /// When it is below the agent's work_dir, and nobody knows where that is.
    pub fn path(&self) -> Result<PathBuf> {
        source::path(&self.volume, self.work_dir.as_deref())
    }

    /// Opens it (O_PATH), without following links between its disk and it.
    ///
    /// # Errors
    /// When it is not there, or no directory.
    pub fn open(&self) -> Result<OwnedFd> {
        source::open(&self.volume, self.work_dir.as_deref()).map(|source| source.fd)
    }
}
