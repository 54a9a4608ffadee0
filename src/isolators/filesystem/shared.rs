//! `filesystem/shared`: volumes over what the host has, each at a path that is there; the rest is shared with the host.
#![forbid(unsafe_code)]

use super::volumes::{Place, Rules, mounts};
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};

/// See the module.
#[derive(Debug)]
pub struct Shared;

impl Isolator for Shared {
    fn name(&self) -> &str {
        "filesystem/shared"
    }

    fn probe(&self) -> Result<()> {
        super::probe()
    }

    fn measures(&self) -> bool {
        false
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let Some(asked) = container.asked else {
            return Ok(Preparation::default());
        };
        let volumes = asked.container().map_or(&[][..], |info| &info.volumes);
        if volumes.is_empty() {
            return Ok(Preparation::default());
        }
        let place = Place::new(container.sandbox, asked.account.owner())?;
        Ok(Preparation { mounts: mounts(volumes, &place, Rules::Shared)?, ..Preparation::default() })
    }
}
