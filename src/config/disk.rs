//! The settings that have to do with disk space.
#![forbid(unsafe_code)]

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::ConfigError;
use super::flags::disk as flags;
use super::sources::Sources;
use super::values::ValueError;

/// Project ids, as `[5000-10000]` or `[5000-5999,7000-7999]`: `--xfs_project_range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRange(Vec<RangeInclusive<u32>>);

impl ProjectRange {
    /// None is 0, which is the id of all files that belong to no project. The brackets may be missing.
    pub(super) fn parse(text: &str) -> Result<ProjectRange, ValueError> {
        let number = |text: &str| text.trim().parse::<NonZeroU32>().ok().filter(|_| !text.contains('+'));
        let range = |text: &str| {
            let (first, last) = text.split_once('-')?;
            let (first, last) = number(first).zip(number(last))?;
            (first <= last).then_some(first.get()..=last.get())
        };
        let inner = text.trim().strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']'));
        let ranges = inner.and_then(|text| text.split(',').map(range).collect());
        ranges.map(ProjectRange).ok_or(ValueError::ProjectRange)
    }

    /// All of them, in the order given.
    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// Whether it is one of them.
    pub fn contains(&self, id: u32) -> bool {
        self.0.iter().any(|range| range.contains(&id))
    }
}

/// As on the command line.
impl std::fmt::Display for ProjectRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect();
        write!(f, "[{}]", ranges.join(","))
    }
}

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// From the end of one look to the next. Never zero.
    pub container_disk_watch_interval: Duration,
    /// Quotas are more than figures.
    pub enforce_container_disk_quota: bool,
    /// At least one. Absent: by the number of processors.
    pub disk_walkers: Option<u64>,
    /// For disk/xfs.
    pub xfs_project_range: ProjectRange,
    /// Whether disk/xfs ends containers that use too much.
    pub xfs_kill_containers: bool,
}

impl Disk {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Disk, ConfigError> {
        Ok(Disk {
            container_disk_watch_interval: sources.timeout(&flags::CONTAINER_DISK_WATCH_INTERVAL)?,
            enforce_container_disk_quota: sources.boolean(&flags::ENFORCE_CONTAINER_DISK_QUOTA)?,
            disk_walkers: sources.optional(&flags::DISK_WALKERS, number)?,
            xfs_project_range: sources.value(&flags::XFS_PROJECT_RANGE, ProjectRange::parse)?,
            xfs_kill_containers: sources.boolean(&flags::XFS_KILL_CONTAINERS)?,
        })
    }
}

fn number(text: &str) -> Result<u64, ValueError> {
    text.parse().ok().filter(|n| *n > 0).ok_or(ValueError::Number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_of_projects() {
        let range = ProjectRange::parse("[5000-5001,7000-7000]").unwrap();
        assert_eq!(range.ids().collect::<Vec<_>>(), [5000, 5001, 7000]);
        assert_eq!([5000, 5001, 5002, 7000].map(|id| range.contains(id)), [true, true, false, true]);
        assert_eq!(range.to_string(), "[5000-5001,7000-7000]");
        assert_eq!(ProjectRange::parse("1-4294967295").unwrap().to_string(), "[1-4294967295]");
        for bad in ["", "[]", "5000", "[5000-", "5000-6000]", "0-5", "7-6", "+1-2", "1-4294967296", "[1-2,]", "-1-2"] {
            assert_eq!(ProjectRange::parse(bad), Err(ValueError::ProjectRange), "{bad}");
        }
    }
}
