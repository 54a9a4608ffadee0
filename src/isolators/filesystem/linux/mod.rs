//! `filesystem/linux`: volumes anywhere the container may have them, in the sandbox as well; persistent volumes in the sandbox.
#![forbid(unsafe_code)]

use super::persistent::{self, Persistent, Way};
use super::remember;
use super::volumes::{Place, Rules, mounts};
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;

const NAME: &str = "filesystem/linux";

/// See the module.
#[derive(Debug)]
pub struct Linux {
    persistent: Persistent,
}

impl Linux {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Linux {
        Linux { persistent: Persistent::new(Way::Mounts, settings) }
    }
}

impl Isolator for Linux {
    fn name(&self) -> &str {
        NAME
    }

    fn probe(&self) -> Result<()> {
        super::probe()
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
        let mut all = Vec::new();
        if let Some(asked) = container.asked
            && let Some(info) = asked.container().filter(|info| !info.volumes.is_empty())
        {
            let place = Place::new(container.sandbox, asked.account.owner())?;
            all = mounts(&info.volumes, &place, Rules::Linux)?;
        }
        let (kept, facts) = self.persistent.prepare(container, facts, None)?;
        persistent::refuse_overlap(&all, &kept)?;
        all.extend(kept);
        Ok(Preparation { mounts: all, namespaces, facts, ..Preparation::default() })
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.persistent.update(container, facts, remember(container, NAME))
    }
}
