//! `posix/cpu` and `posix/mem`: measure, limit nothing, work on every host and without root.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator};
use crate::protocol::mesos::ResourceStatistics;

/// CPU time of the container's processes.
#[derive(Debug)]
pub struct Cpu;

/// Resident memory of the container's processes.
#[derive(Debug)]
pub struct Mem;

impl Isolator for Cpu {
    fn name(&self) -> &str {
        "posix/cpu"
    }

    /// User and system time of all processes of the container with those children that they have waited for, so that the
    /// figure does not fall when a process ends (the built-in isolator's does).
    fn usage(&self, container: &Container<'_>, _facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        let per_second = procfs::ticks_per_second() as f64;
        let members = container.members();
        let reaped = |ticks: i64| u64::try_from(ticks).unwrap_or(0);
        let (mut user, mut system) = (0u64, 0u64);
        for stat in &members.processes {
            user += stat.utime + reaped(stat.cutime);
            system += stat.stime + reaped(stat.cstime);
        }
        // What the subreaper itself has reaped.
        if let Some(owner) = &members.owner {
            user += reaped(owner.cutime);
            system += reaped(owner.cstime);
        }
        statistics.cpus_user_time_secs = Some(user as f64 / per_second);
        statistics.cpus_system_time_secs = Some(system as f64 / per_second);
        statistics.processes = Some(members.processes.len() as u32);
        statistics.threads = Some(members.processes.iter().map(|s| s.num_threads.max(0) as u32).sum());
        Ok(())
    }
}

impl Isolator for Mem {
    fn name(&self) -> &str {
        "posix/mem"
    }

    /// The sum of the resident sets; pages that processes share count for each.
    fn usage(&self, container: &Container<'_>, _facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        let pages: u64 = container.members().processes.iter().map(|s| s.rss).sum();
        statistics.mem_rss_bytes = Some(pages.saturating_mul(procfs::page_size()));
        Ok(())
    }
}
