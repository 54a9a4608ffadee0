//! `filesystem/posix`: the container sees the host's file systems as they are; persistent volumes are links in its sandbox.
//! Other volumes and images are refused by launch.
#![forbid(unsafe_code)]

use super::persistent::{Persistent, Way};
use super::remember;
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;

/// See the module.
#[derive(Debug)]
pub struct Posix(Persistent);

impl Posix {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Posix {
        Posix(Persistent::new(Way::Links, settings))
    }
}

impl Isolator for Posix {
    fn name(&self) -> &str {
        super::POSIX
    }

    fn measures(&self) -> bool {
        false
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        self.0.plan(container)
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        self.0.prepare(container, facts, None)?;
        Ok(Preparation::default())
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.0.update(container, facts, remember(container, super::POSIX))
    }
}
