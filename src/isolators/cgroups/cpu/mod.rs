//! `cgroups/cpu`: CPU shares, bandwidth and time.
//!
//! The facts are [`QUOTA`] where the container has a quota from us, else empty: the flag may change while it runs.
#![forbid(unsafe_code)]

mod amounts;
mod figures;
#[cfg(test)]
mod tests;

use std::io::Error as IoError;

use amounts::{Cpus, DEFAULT_SHARES, DEFAULT_WEIGHT, PERIOD_US};

use crate::cgroup::{Cgroup, walk};
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;
use crate::protocol::mesos::ResourceStatistics;

const QUOTA: &[u8] = b"quota";

/// v1: microseconds in each period, or -1 for no quota.
const QUOTA_V1: &str = "cpu.cfs_quota_us";

/// See the module.
#[derive(Debug)]
pub struct Cpu {
    cfs: bool,
    revocable_low_priority: bool,
    count_members: bool,
}

impl Cpu {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Cpu {
        Cpu {
            cfs: settings.cgroups.cgroups_enable_cfs,
            revocable_low_priority: settings.cgroups.revocable_cpu_low_priority,
            count_members: settings.cgroups.cgroups_cpu_enable_pids_and_tids_count,
        }
    }

    fn cpus(&self, container: &Container<'_>) -> Result<Cpus> {
        Cpus::of(container.resources, self.revocable_low_priority)
    }
}

impl Isolator for Cpu {
    fn name(&self) -> &str {
        "cgroups/cpu"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["cpu", "cpuacct"]
    }

    /// Without cpus the launch is refused, as by the built-in one.
    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        self.cpus(container)?;
        Ok(if self.cfs { QUOTA.to_vec() } else { Facts::new() })
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        let (cpus, cgroup) = (self.cpus(container)?, container.cgroups.open("cpu")?);
        let unified = container.cgroups.is_unified("cpu");
        let is_default = if unified { cpus.weight() == DEFAULT_WEIGHT } else { cpus.shares() == DEFAULT_SHARES };
        if !is_default {
            write_share(&cgroup, unified, cpus)?;
        }
        if !facts.is_empty() {
            write_quota(&cgroup, unified, Some(cpus)).map_err(|e| match e.is_not_found() {
                true => Error::Refused(format!(
                    "not available here because the kernel has no CPU bandwidth control (CONFIG_CFS_BANDWIDTH), which \
                     --cgroups_enable_cfs needs: {e}"
                )),
                false => e,
            })?;
        }
        Ok(Preparation::default())
    }

    /// The flag in force now decides: a quota comes, follows or is lifted.
    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        let (cpus, cgroup) = (self.cpus(container)?, container.cgroups.open("cpu")?);
        let unified = container.cgroups.is_unified("cpu");
        write_share(&cgroup, unified, cpus)?;
        match (self.cfs, facts.is_empty()) {
            (true, none_yet) => {
                write_quota(&cgroup, unified, Some(cpus))?;
                Ok(none_yet.then(|| QUOTA.to_vec()))
            }
            (false, false) => {
                write_quota(&cgroup, unified, None)?;
                Ok(Some(Facts::new()))
            }
            (false, true) => Ok(None),
        }
    }

    fn usage(&self, container: &Container<'_>, facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        figures::times(container.cgroups, self.cfs || !facts.is_empty(), statistics)?;
        if self.count_members {
            let cgroup = container.cgroups.open("cpu")?;
            let (processes, threads) = figures::members(&cgroup, container.cgroups.is_unified("cpu"))?;
            (statistics.processes, statistics.threads) = (Some(processes), Some(threads));
        }
        Ok(())
    }
}

fn write_share(cgroup: &Cgroup, unified: bool, cpus: Cpus) -> Result<()> {
    match unified {
        true => cgroup.write("cpu.weight", &cpus.weight().to_string()),
        false => cgroup.write("cpu.shares", &cpus.shares().to_string()),
    }
}

/// A quota, or None to lift it. The period of v1 is written by nobody: it is the kernel's default.
fn write_quota(cgroup: &Cgroup, unified: bool, cpus: Option<Cpus>) -> Result<()> {
    let quota = cpus.map(Cpus::quota_us);
    if unified {
        let value = quota.map_or_else(|| "max".to_owned(), |quota| format!("{quota} {PERIOD_US}"));
        return cgroup.write("cpu.max", &value);
    }
    let value = quota.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
    match (cgroup.write(QUOTA_V1, &value), quota) {
        (Err(e), Some(quota)) if e.io().and_then(IoError::raw_os_error) == Some(libc::EINVAL) => {
            lift_below(cgroup, quota);
            cgroup.write(QUOTA_V1, &value)
        }
        (written, _) => written,
    }
}

/// v1 refuses a quota below that of a cgroup which the container has made. Those are lifted: then this one holds for them.
fn lift_below(cgroup: &Cgroup, quota: u64) {
    let number = |below: &Cgroup, file: &str| below.read(file).ok().and_then(|text| text.trim().parse::<i64>().ok());
    let mut is_top = true;
    let visit = |below: &Cgroup| {
        if !std::mem::take(&mut is_top)
            && let (Some(own @ 0..), Some(period)) = (number(below, QUOTA_V1), number(below, "cpu.cfs_period_us"))
            && i128::from(own) * i128::from(PERIOD_US) > i128::from(quota) * i128::from(period)
        {
            // Whatever keeps it from that, the kernel says it of the container's own quota.
            let _ = below.write(QUOTA_V1, "-1");
        }
        Ok(())
    };
    let _ = walk(cgroup, visit, |_, _| {});
}
