//! `cgroups/pids`: how many processes and threads there may be, and how many there are.
//!
//! The facts are the limit that the container has from us, in decimal; empty for none: the flag may change while it runs.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;
use crate::protocol::mesos::ResourceStatistics;

/// The kernel takes no larger number (PIDS_MAX is PID_MAX_LIMIT + 1), nor can there be more.
const MOST: u64 = 4 << 20;

/// See the module.
#[derive(Debug)]
pub struct Pids {
    max: Option<u64>,
}

impl Pids {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Pids {
        Pids { max: settings.cgroups.cgroups_pids_max }
    }

    fn limit(&self) -> Facts {
        self.max.map(|max| max.min(MOST).to_string().into_bytes()).unwrap_or_default()
    }
}

fn write(container: &Container<'_>, limit: &Facts) -> Result<()> {
    let value = if limit.is_empty() { "max".into() } else { String::from_utf8_lossy(limit) };
    container.cgroups.open("pids")?.write("pids.max", &value)
}

impl Isolator for Pids {
    fn name(&self) -> &str {
        "cgroups/pids"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["pids"]
    }

    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        Ok(self.limit())
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        if !facts.is_empty() {
            write(container, facts)?;
        }
        Ok(Preparation::default())
    }

    /// The flag in force now decides. Where it is as it was, the control file is left alone.
    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        let limit = self.limit();
        if limit == *facts {
            return Ok(None);
        }
        write(container, &limit)?;
        Ok(Some(limit))
    }

    /// One number: the threads, those below included (and, until somebody waits for them, the dead). An isolator that has
    /// counted them itself knows better.
    fn usage(&self, container: &Container<'_>, _facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        if statistics.threads.is_none() {
            let current = container.cgroups.open("pids")?.number("pids.current")?;
            statistics.threads = Some(u32::try_from(current).unwrap_or(u32::MAX));
        }
        Ok(())
    }
}
