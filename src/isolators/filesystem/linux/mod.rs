//! `filesystem/linux`: a mount namespace for each container.
#![forbid(unsafe_code)]

use super::persistent::{Persistent, Way};
use super::remember;
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;

const NAME: &str = "filesystem/linux";

/// See the module.
#[derive(Debug)]
pub struct Linux(Persistent);

impl Linux {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Linux {
        Linux(Persistent::new(Way::Mounts, settings))
    }
}

impl Isolator for Linux {
    fn name(&self) -> &str {
        NAME
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        self.0.plan(container, None)
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        let mounts = self.0.prepare(container, facts)?;
        Ok(Preparation { mounts, namespaces: libc::CLONE_NEWNS as u64, ..Preparation::default() })
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.0.update(container, facts, remember(container, NAME))
    }
}
