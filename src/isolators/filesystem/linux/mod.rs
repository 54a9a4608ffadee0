//! `filesystem/linux`: volumes anywhere the container may have them, in the sandbox as well; persistent volumes in the sandbox;
//! a root directory of the container's own.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::persistent::{self, Persistent, Way};
use super::remember;
use super::root::{self, Layer, RootDirectory};
use super::volumes::{Place, Rules, mounts};
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;

const NAME: &str = "filesystem/linux";

/// See the module.
#[derive(Debug)]
pub struct Linux {
    persistent: Persistent,
    root: Option<PathBuf>,
    sandbox_directory: PathBuf,
}

impl Linux {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Linux {
        Linux {
            persistent: Persistent::new(Way::Mounts, settings),
            root: settings.filesystem.default_rootfs.clone(),
            sandbox_directory: settings.filesystem.sandbox_directory.clone(),
        }
    }
}

impl Isolator for Linux {
    fn name(&self) -> &str {
        NAME
    }

    fn probe(&self) -> Result<()> {
        if let Some(directory) = &self.root {
            root::check_sandbox_directory(&self.sandbox_directory)?;
            RootDirectory::check(directory)?;
        }
        super::probe()?;
        self.root.as_ref().map_or(Ok(()), |_| Layer::probe())
    }

    fn measures(&self) -> bool {
        false
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        self.persistent.plan(container)
    }

    /// The container has a mount namespace in any case: an update may bring a persistent volume.
    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        let namespaces = libc::CLONE_NEWNS as u64;
        let root = self.root.as_deref().map(RootDirectory::open).transpose()?;
        let seen = root.as_ref().map(|root| root.place(&self.sandbox_directory, true)).transpose()?;
        let mut all = Vec::new();
        if let Some(asked) = container.asked
            && let Some(info) = asked.container().filter(|info| !info.volumes.is_empty())
        {
            let mut place = Place::new(container.sandbox, asked.account.owner())?;
            if let (Some(root), Some(seen)) = (&root, &seen) {
                place = place.in_root(root, seen.clone());
            }
            all = mounts(&info.volumes, &place, Rules::Linux)?;
        }
        let (kept, facts) = self.persistent.prepare(container, facts, seen.as_deref())?;
        persistent::refuse_overlap(&all, &kept)?;
        all.extend(kept);
        let mut prepared = match (root, seen) {
            (Some(root), Some(seen)) => root.prepare(container.sandbox, seen)?,
            _ => Preparation::default(),
        };
        prepared.mounts.extend(all);
        Ok(Preparation { namespaces, facts, ..prepared })
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.persistent.update(container, facts, remember(container, NAME))
    }
}
