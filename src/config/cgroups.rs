//! The settings that have to do with cgroups.
#![forbid(unsafe_code)]

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::error::ConfigError;
use super::flags::cgroups as flags;
use super::sources::Sources;
use super::values::ValueError;

/// How processes are kept together and killed: `--launcher`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// By their parentage.
    Posix,
    /// By cgroups that they cannot leave without root: the freezer's of v1, and that of v2.
    Linux,
}

impl Launcher {
    /// The names, as of the agent's flag.
    pub const fn name(self) -> &'static str {
        match self {
            Launcher::Posix => "posix",
            Launcher::Linux => "linux",
        }
    }

    fn parse(text: &str) -> Result<Launcher, ValueError> {
        [Launcher::Posix, Launcher::Linux].into_iter().find(|l| l.name() == text).ok_or(ValueError::Launcher)
    }
}

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    /// Absent: linux where it can be, else posix.
    pub launcher: Option<Launcher>,
    /// Below every mount point; relative, not empty, without `..`.
    pub cgroups_root: PathBuf,
    /// Where v1 hierarchies that are not mounted anywhere get mounted.
    pub cgroups_hierarchy: PathBuf,
    /// CFS bandwidth limits beside shares.
    pub cgroups_enable_cfs: bool,
    /// Memory and swap together are limited like memory.
    pub cgroups_limit_swap: bool,
    /// Count processes and threads.
    pub cgroups_cpu_enable_pids_and_tids_count: bool,
    /// Revocable cpus weigh a hundredth.
    pub revocable_cpu_low_priority: bool,
    /// Most processes and threads of a container. Absent: no limit.
    pub cgroups_pids_max: Option<u64>,
    /// As written; see the isolator `cgroups/devices`.
    pub allowed_devices: Option<String>,
    /// As written; see the isolator `cgroups/net_cls`.
    pub cgroups_net_cls_primary_handle: Option<String>,
    /// As written; see the isolator `cgroups/net_cls`.
    pub cgroups_net_cls_secondary_handles: Option<String>,
    /// Weight of block devices, as written. Absent: the kernel's default.
    pub cgroups_blkio_weight: Option<u64>,
    /// Limits of block devices, as written; see the isolator `cgroups/blkio`.
    pub cgroups_blkio_throttle: Option<String>,
    /// Names of perf events, `-` or `_` in them.
    pub perf_events: Vec<String>,
    /// From one sample to the next. Never zero.
    pub perf_interval: Duration,
    /// How long a sample takes; never zero. Whether it is at most `perf_interval` is for the isolator to say.
    pub perf_duration: Duration,
    /// Where supervisors and containers go in the hierarchies of systemd. Absent: they stay where the agent is.
    pub systemd_slice: Option<String>,
}

impl Cgroups {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Cgroups, ConfigError> {
        Ok(Cgroups {
            launcher: sources.optional(&flags::LAUNCHER, Launcher::parse)?,
            cgroups_root: sources.value(&flags::CGROUPS_ROOT, relative)?,
            cgroups_hierarchy: sources.path(&flags::CGROUPS_HIERARCHY)?.unwrap_or_default(),
            cgroups_enable_cfs: sources.boolean(&flags::CGROUPS_ENABLE_CFS)?,
            cgroups_limit_swap: sources.boolean(&flags::CGROUPS_LIMIT_SWAP)?,
            cgroups_cpu_enable_pids_and_tids_count: sources.boolean(&flags::CGROUPS_CPU_ENABLE_PIDS_AND_TIDS_COUNT)?,
            revocable_cpu_low_priority: sources.boolean(&flags::REVOCABLE_CPU_LOW_PRIORITY)?,
            cgroups_pids_max: sources.optional(&flags::CGROUPS_PIDS_MAX, number)?,
            allowed_devices: sources.optional(&flags::ALLOWED_DEVICES, text)?,
            cgroups_net_cls_primary_handle: sources.optional(&flags::CGROUPS_NET_CLS_PRIMARY_HANDLE, text)?,
            cgroups_net_cls_secondary_handles: sources.optional(&flags::CGROUPS_NET_CLS_SECONDARY_HANDLES, text)?,
            cgroups_blkio_weight: sources.optional(&flags::CGROUPS_BLKIO_WEIGHT, number)?,
            cgroups_blkio_throttle: sources.optional(&flags::CGROUPS_BLKIO_THROTTLE, text)?,
            perf_events: sources.list(&flags::PERF_EVENTS)?,
            perf_interval: sources.timeout(&flags::PERF_INTERVAL)?,
            perf_duration: sources.timeout(&flags::PERF_DURATION)?,
            systemd_slice: sources.value(&flags::SYSTEMD_SLICE, slice)?,
        })
    }
}

fn text(text: &str) -> Result<String, ValueError> {
    Ok(text.to_owned())
}

fn number(text: &str) -> Result<u64, ValueError> {
    text.parse().ok().filter(|n| *n > 0).ok_or(ValueError::Number)
}

/// A path below a mount point, as `mesos` or `/mesos/a`.
fn relative(text: &str) -> Result<PathBuf, ValueError> {
    let path: PathBuf = Path::new(text).components().filter(|c| *c != Component::RootDir).collect();
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    if plain && !path.as_os_str().is_empty() { Ok(path) } else { Err(ValueError::CgroupsRoot) }
}

/// `none` for none; a name without slashes.
fn slice(text: &str) -> Result<Option<String>, ValueError> {
    match text {
        "none" => Ok(None),
        name if name.contains('/') || name.starts_with('.') => Err(ValueError::Slice),
        name => Ok(Some(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_below_the_mount_points() {
        assert_eq!(relative("mesos"), Ok(PathBuf::from("mesos")));
        assert_eq!(relative("/a//b/"), Ok(PathBuf::from("a/b")));
        for bad in ["", "/", "..", "a/../b"] {
            assert_eq!(relative(bad), Err(ValueError::CgroupsRoot), "{bad}");
        }
        assert_eq!(slice("none"), Ok(None));
        assert_eq!(slice("a/b"), Err(ValueError::Slice));
        assert_eq!(number("0"), Err(ValueError::Number));
    }
}
