//! `cgroups/devices`: which devices a container may use.
//!
//! The default whitelist is that of the agent: any device file may be made, and the harmless ones used. `--allowed_devices`
//! adds to it. All is set before the first process is in the cgroup; nothing is watched, and nothing is left to be undone.
#![forbid(unsafe_code)]

mod allowed;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use std::path::Path;

use crate::cgroup::devices::{Access, Kind, Rule, allow_only_v1, allow_only_v2};
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;

/// Numbers of devices as in the kernel's admin-guide/devices.txt.
const DEFAULT: [Rule; 14] = [
    Rule::any(Kind::Char, Access::MKNOD),
    Rule::any(Kind::Block, Access::MKNOD),
    // The usual ones go first: the program of v2 takes the rules one after the other.
    // null, zero, full, random, urandom
    Rule::number(Kind::Char, 1, 3, Access::ALL),
    Rule::number(Kind::Char, 1, 5, Access::ALL),
    Rule::number(Kind::Char, 1, 7, Access::ALL),
    Rule::number(Kind::Char, 1, 8, Access::ALL),
    Rule::number(Kind::Char, 1, 9, Access::ALL),
    // tty, console, ptmx, pts/*, tty0, tty1
    Rule::number(Kind::Char, 5, 0, Access::ALL),
    Rule::number(Kind::Char, 5, 1, Access::ALL),
    Rule::number(Kind::Char, 5, 2, Access::ALL),
    Rule::driver(Kind::Char, 136, Access::ALL),
    Rule::number(Kind::Char, 4, 0, Access::ALL),
    Rule::number(Kind::Char, 4, 1, Access::ALL),
    // net/tun
    Rule::number(Kind::Char, 10, 200, Access::ALL),
];

/// Where the kernel shows what device a number belongs to.
const SYS_DEV: &str = "/sys/dev";

/// See the module.
#[derive(Debug)]
pub struct Devices {
    allowed: Option<String>,
}

impl Devices {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Devices {
        Devices { allowed: settings.cgroups.allowed_devices.clone() }
    }

    fn rules(&self) -> Result<Vec<Rule>> {
        let mut rules = DEFAULT.to_vec();
        if let Some(text) = &self.allowed {
            rules.extend(allowed::parse(text, Path::new(SYS_DEV))?);
        }
        Ok(rules)
    }
}

impl Isolator for Devices {
    fn name(&self) -> &str {
        "cgroups/devices"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["devices"]
    }

    fn probe(&self) -> Result<()> {
        self.rules().map(drop)
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let rules = self.rules()?;
        let cgroup = container.cgroups.open("devices")?;
        match container.cgroups.is_unified("devices") {
            true => allow_only_v2(&cgroup, &rules)?,
            false => allow_only_v1(&cgroup, &rules)?,
        }
        Ok(Preparation::default())
    }
}
