//! What the kernel has counted: cpuacct.stat, cpu.stat, and who is in the cgroup.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Read};
use std::path::PathBuf;

use crate::cgroup::{Cgroup, keyed, walk};
use crate::error::{Error, Result};
use crate::launcher::Cgroups;
use crate::protocol::mesos::ResourceStatistics;

const MICROSECONDS: f64 = 1e6;
const NANOSECONDS: f64 = 1e9;

/// A control file, read by its path: for one file that is one open less than by its directory.
struct Text {
    path: PathBuf,
    text: String,
}

impl Text {
    fn read(cgroups: &Cgroups, controller: &str, file: &str) -> Result<Text> {
        let path = cgroups.path(controller)?.join(file);
        // The kernel does not say how long it is: with room for all of it, it is one read.
        let mut text = String::with_capacity(512);
        let read = File::open(&path).and_then(|mut file| file.read_to_string(&mut text));
        read.map_err(Error::path("read", &path))?;
        Ok(Text { path, text })
    }

    fn value(&self, key: &str) -> Result<u64> {
        keyed(&self.text, key).ok_or_else(|| {
            Error::path("make sense of", &self.path)(IoError::new(
                ErrorKind::InvalidData,
                format!("it has no \"{key}\""),
            ))
        })
    }
}

/// CPU time, and with `throttling` how often and how long the quota was used up. One file in v2; one for each in v1.
pub(super) fn times(cgroups: &Cgroups, throttling: bool, statistics: &mut ResourceStatistics) -> Result<()> {
    let (file, user, system, per_second) = match cgroups.is_unified("cpuacct") {
        true => ("cpu.stat", "user_usec", "system_usec", MICROSECONDS),
        false => ("cpuacct.stat", "user", "system", procfs::ticks_per_second() as f64),
    };
    let mut text = Text::read(cgroups, "cpuacct", file)?;
    statistics.cpus_user_time_secs = Some(text.value(user)? as f64 / per_second);
    statistics.cpus_system_time_secs = Some(text.value(system)? as f64 / per_second);
    if !throttling {
        return Ok(());
    }
    let unified = cgroups.is_unified("cpu");
    if !unified || file != "cpu.stat" {
        text = Text::read(cgroups, "cpu", "cpu.stat")?;
    }
    let count = |key| text.value(key).map(|n| Some(u32::try_from(n).unwrap_or(u32::MAX)));
    statistics.cpus_nr_periods = count("nr_periods")?;
    statistics.cpus_nr_throttled = count("nr_throttled")?;
    let (key, per_second) = if unified { ("throttled_usec", MICROSECONDS) } else { ("throttled_time", NANOSECONDS) };
    statistics.cpus_throttled_time_secs = Some(text.value(key)? as f64 / per_second);
    Ok(())
}

/// Processes and threads in the cgroup and below it.
pub(super) fn members(cgroup: &Cgroup, unified: bool) -> Result<(u32, u32)> {
    let (mut processes, mut threads) = own_members(cgroup, unified)?;
    let mut is_top = true;
    let visit = |below: &Cgroup| {
        // One that vanishes meanwhile has nobody in it.
        if !std::mem::take(&mut is_top)
            && let Ok((more_processes, more_threads)) = own_members(below, unified)
        {
            (processes, threads) = (processes + more_processes, threads + more_threads);
        }
        Ok(())
    };
    // So may the one from which the way leads up: then the count is too small for once.
    let _ = walk(cgroup, visit, |_, _| {});
    Ok((processes, threads))
}

fn own_members(cgroup: &Cgroup, unified: bool) -> Result<(u32, u32)> {
    let lines = |file| cgroup.read(file).map(|text| text.lines().count() as u32);
    let processes = match lines("cgroup.procs") {
        // A threaded cgroup of v2: the processes of its threads are listed further up.
        Err(e) if e.io().and_then(IoError::raw_os_error) == Some(libc::EOPNOTSUPP) => 0,
        other => other?,
    };
    Ok((processes, lines(if unified { "cgroup.threads" } else { "tasks" })?))
}
