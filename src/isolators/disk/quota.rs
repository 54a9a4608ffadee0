//! What a container may use of disks: its sandbox, and each of its persistent volumes.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::values::print_bytes;
use crate::error::{Error, Result};
use crate::isolator::{Container, Limitation};
use crate::isolators::filesystem::Directory;
use crate::protocol::mesos::Resource;
use crate::protocol::mesos::resource::disk_info::source::Type;
use crate::protocol::resources::mebibytes;

/// REASON_CONTAINER_LIMITATION_DISK, agent 0.26 and later.
const REASON: i32 = 20;

/// One of the places whose space is the container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quota {
    /// What is measured.
    pub(super) place: Place,
    /// In bytes. None: no resource says anything of it.
    pub(super) limit: Option<u64>,
    /// Whether the limit may be enforced. A disk that is mounted as a whole is itself the limit.
    pub(super) enforceable: bool,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The sandbox, by its path on the host.
    Sandbox(PathBuf),
    /// A persistent volume.
    Volume(Directory),
}

impl Place {
    /// Where the container has it, below its sandbox; empty for the sandbox itself.
    pub(super) fn at(&self) -> &Path {
        match self {
            Place::Sandbox(_) => Path::new(""),
            Place::Volume(directory) => directory.at(),
        }
    }

    /// In messages.
    pub(super) fn name(&self) -> String {
        match self {
            Place::Sandbox(path) => format!("the sandbox {}", path.display()),
            Place::Volume(directory) => format!("the {}", directory.name()),
        }
    }

    /// Opens it, as O_PATH.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn open(&self) -> Result<OwnedFd> {
        match self {
            Place::Sandbox(path) => File::options()
                .read(true)
                .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
                .open(path)
                .map(OwnedFd::from)
                .map_err(Error::path("open the sandbox", path)),
            Place::Volume(directory) => directory.open(),
        }
    }
}

impl Quota {
    /// Whether so many bytes are more than may be used.
    pub(super) fn is_exceeded(&self, used: u64) -> bool {
        self.enforceable && self.limit.is_some_and(|limit| used > limit)
    }

    /// What a container is ended with that uses so many bytes, in the words of the built-in containerizer.
    pub(super) fn limitation(&self, used: u64) -> Limitation {
        let limit = print_bytes(self.limit.unwrap_or_default());
        Limitation { message: format!("Disk usage ({}) exceeds quota ({limit})", print_bytes(used)), reason: REASON }
    }
}

/// All places of the container, the sandbox first, which every container has. `work_dir`: the agent's, if it is known.
///
/// # Errors
/// A resource with a volume that is none; resources that cannot be read.
pub(super) fn quotas(container: &Container<'_>, work_dir: Option<&Path>) -> Result<Vec<Quota>> {
    let sandbox = Place::Sandbox(container.sandbox.to_path_buf());
    let mut all = vec![Quota { place: sandbox, limit: None, enforceable: true }];
    for resource in container.resources()?.iter().filter(|resource| resource.name == "disk") {
        let directory = Directory::of(resource, container, work_dir)?;
        let enforceable = directory.is_none() || !is_whole_disk(resource);
        let place = directory.map_or_else(|| Place::Sandbox(container.sandbox.to_path_buf()), Place::Volume);
        let limit = resource.scalar.and_then(|scalar| mebibytes(scalar.value));
        match all.iter_mut().find(|quota| quota.place.at() == place.at()) {
            Some(quota) => {
                quota.limit = match (quota.limit, limit) {
                    (Some(a), Some(b)) => Some(a.saturating_add(b)),
                    (a, b) => a.or(b),
                };
                quota.enforceable &= enforceable;
            }
            None => all.push(Quota { place, limit, enforceable }),
        }
    }
    Ok(all)
}

/// What the sandbox may use, in bytes; for `usage`, which looks at nothing else.
pub(super) fn sandbox_limit(resources: &[Resource]) -> Option<u64> {
    let is_sandbox = |r: &&Resource| r.name == "disk" && r.disk.as_ref().is_none_or(|disk| disk.volume.is_none());
    let limits = resources.iter().filter(is_sandbox).filter_map(|r| r.scalar.and_then(|s| mebibytes(s.value)));
    limits.reduce(u64::saturating_add)
}

fn is_whole_disk(resource: &Resource) -> bool {
    let source = resource.disk.as_ref().and_then(|disk| disk.source.as_ref());
    source.is_some_and(|source| source.r#type == Type::Mount as i32)
}

#[cfg(test)]
mod tests;
