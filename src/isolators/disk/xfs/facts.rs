//! What is remembered of a container's projects.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use prost::Message;

use crate::config;
use crate::error::{Error, Result};
use crate::isolator;

/// The flags that the container was launched with, and its projects. Fields may only be added.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Facts {
    /// Quotas are limits.
    #[prost(bool, required, tag = "1")]
    pub(super) enforce: bool,
    /// Who exceeds one is ended.
    #[prost(bool, required, tag = "2")]
    pub(super) kill: bool,
    /// From one look to the next, in nanoseconds.
    #[prost(uint64, required, tag = "3")]
    pub(super) interval: u64,
    /// The sandbox's first; none before they are chosen.
    #[prost(message, repeated, tag = "4")]
    pub(super) projects: Vec<Project>,
}

/// A directory that is a project of its own.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Project {
    /// On the host.
    #[prost(bytes = "vec", required, tag = "1")]
    path: Vec<u8>,
    #[prost(uint32, required, tag = "2")]
    pub(super) id: u32,
}

impl Facts {
    /// Those of a container that is launched with these flags.
    pub(super) fn new(flags: &config::Disk) -> Facts {
        Facts {
            enforce: flags.enforce_container_disk_quota,
            kill: flags.enforce_container_disk_quota && flags.xfs_kill_containers,
            interval: u64::try_from(flags.container_disk_watch_interval.as_nanos()).unwrap_or(u64::MAX),
            projects: Vec::new(),
        }
    }

    pub(super) fn read(facts: &isolator::Facts) -> Result<Facts> {
        Facts::decode(facts.as_slice())
            .map_err(|e| Error::Refused(format!("the facts about projects cannot be read: {e}")))
    }

    pub(super) fn bytes(&self) -> isolator::Facts {
        self.encode_to_vec()
    }

    /// From one look to the next.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// The project of this directory.
    pub(super) fn of(&self, path: &Path) -> Option<&Project> {
        self.projects.iter().find(|project| project.path() == path)
    }
}

impl Project {
    pub(super) fn new(path: &Path, id: u32) -> Project {
        Project { path: path.as_os_str().as_bytes().to_vec(), id }
    }

    /// Its directory.
    pub(super) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings, Untrusted};

    #[test]
    fn flags_and_projects_are_kept() {
        let (config, _) = Config::resolve(&Settings::default(), std::iter::empty(), &Untrusted::default()).unwrap();
        let mut flags = config.disk;
        flags.xfs_kill_containers = true;
        assert!(!Facts::new(&flags).kill, "only what is enforced");
        flags.enforce_container_disk_quota = true;
        flags.container_disk_watch_interval = Duration::from_millis(1500);
        let mut facts = Facts::new(&flags);
        facts.projects = vec![Project::new(Path::new("/a"), 5000), Project::new(Path::new("/b"), 5001)];
        let read = Facts::read(&facts.bytes()).unwrap();
        assert_eq!((read.enforce, read.kill, read.interval()), (true, true, Duration::from_millis(1500)));
        assert_eq!(read.of(Path::new("/b")).unwrap().id, 5001);
        assert!(read.of(Path::new("/c")).is_none());
        assert!(Facts::read(&b"x".to_vec()).is_err());
    }
}
