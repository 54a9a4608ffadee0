//! What `usage` shows of memory. All figures include the cgroups that the container made below its own.
#![forbid(unsafe_code)]

use crate::cgroup::{Cgroup, number};
use crate::error::Result;
use crate::protocol::mesos::ResourceStatistics;

/// From v1's files.
///
/// # Errors
/// The kernel's.
pub(super) fn fill_v1(cgroup: &Cgroup, statistics: &mut ResourceStatistics) -> Result<()> {
    statistics.mem_total_bytes = Some(cgroup.number("memory.usage_in_bytes")?);
    statistics.mem_total_memsw_bytes = optional(cgroup, "memory.memsw.usage_in_bytes")?;
    statistics.mem_soft_limit_bytes = Some(cgroup.number("memory.soft_limit_in_bytes")?);
    for (key, value) in keys(&cgroup.read("memory.stat")?) {
        match key {
            "total_cache" => fill_cache(statistics, value),
            "total_rss" => fill_rss(statistics, value),
            "total_mapped_file" => statistics.mem_mapped_file_bytes = Some(value),
            "total_swap" => statistics.mem_swap_bytes = Some(value),
            "total_unevictable" => statistics.mem_unevictable_bytes = Some(value),
            _ => {}
        }
    }
    Ok(())
}

/// From v2's files. It has no levels of pressure.
///
/// # Errors
/// The kernel's.
pub(super) fn fill_v2(cgroup: &Cgroup, statistics: &mut ResourceStatistics) -> Result<()> {
    let total = cgroup.number("memory.current")?;
    statistics.mem_total_bytes = Some(total);
    statistics.mem_swap_bytes = optional(cgroup, "memory.swap.current")?;
    statistics.mem_total_memsw_bytes = statistics.mem_swap_bytes.map(|swap| total.saturating_add(swap));
    statistics.mem_soft_limit_bytes = Some(cgroup.number("memory.low")?);
    for (key, value) in keys(&cgroup.read("memory.stat")?) {
        match key {
            "file" => fill_cache(statistics, value),
            "anon" => fill_rss(statistics, value),
            "file_mapped" => statistics.mem_mapped_file_bytes = Some(value),
            "unevictable" => statistics.mem_unevictable_bytes = Some(value),
            _ => {}
        }
    }
    Ok(())
}

/// Under the name that agents have used since 0.23, and under the older one.
fn fill_cache(statistics: &mut ResourceStatistics, bytes: u64) {
    statistics.mem_cache_bytes = Some(bytes);
    statistics.mem_file_bytes = Some(bytes);
}

/// The same.
fn fill_rss(statistics: &mut ResourceStatistics, bytes: u64) {
    statistics.mem_rss_bytes = Some(bytes);
    statistics.mem_anon_bytes = Some(bytes);
}

fn keys(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| line.split_once(' ').and_then(|(key, value)| Some((key, number(value)?))))
}

/// Kernels that do not count swap do not have the file.
fn optional(cgroup: &Cgroup, file: &str) -> Result<Option<u64>> {
    match cgroup.number(file) {
        Err(e) if e.is_not_found() => Ok(None),
        number => number.map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn filled(
        files: &[(&str, &str)],
        fill: fn(&Cgroup, &mut ResourceStatistics) -> Result<()>,
    ) -> Result<ResourceStatistics> {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(file, text)| fs::write(dir.path().join(file), text).unwrap());
        let mut statistics = ResourceStatistics::default();
        fill(&Cgroup::open(dir.path()).unwrap(), &mut statistics).map(|()| statistics)
    }

    const V1: &[(&str, &str)] = &[
        ("memory.usage_in_bytes", "100\n"),
        ("memory.soft_limit_in_bytes", "200\n"),
        (
            "memory.stat",
            "cache 1\nrss 2\nmapped_file 3\nhierarchical_memory_limit 9\ntotal_cache 10\ntotal_rss 20\n\
             total_mapped_file 30\ntotal_swap 40\ntotal_unevictable 50\n",
        ),
        ("memory.memsw.usage_in_bytes", "140\n"),
    ];

    const V2: &[(&str, &str)] = &[
        ("memory.current", "100\n"),
        ("memory.low", "200\n"),
        ("memory.stat", "anon 20\nfile 10\nkernel 7\nfile_mapped 30\nunevictable 50\n"),
        ("memory.swap.current", "40\n"),
    ];

    #[test]
    fn both_versions_fill_the_same_fields() {
        let expected = ResourceStatistics {
            mem_total_bytes: Some(100),
            mem_total_memsw_bytes: Some(140),
            mem_soft_limit_bytes: Some(200),
            mem_cache_bytes: Some(10),
            mem_file_bytes: Some(10),
            mem_rss_bytes: Some(20),
            mem_anon_bytes: Some(20),
            mem_mapped_file_bytes: Some(30),
            mem_swap_bytes: Some(40),
            mem_unevictable_bytes: Some(50),
            ..ResourceStatistics::default()
        };
        assert_eq!(filled(V1, fill_v1).unwrap(), expected);
        assert_eq!(filled(V2, fill_v2).unwrap(), expected);
    }

    #[test]
    fn a_kernel_may_not_count_swap() {
        let v1 = filled(&V1[..3], fill_v1).unwrap();
        assert_eq!((v1.mem_total_memsw_bytes, v1.mem_total_bytes), (None, Some(100)));
        let v2 = filled(&V2[..3], fill_v2).unwrap();
        assert_eq!((v2.mem_total_memsw_bytes, v2.mem_swap_bytes), (None, None));
        assert!(filled(&V1[1..], fill_v1).unwrap_err().is_not_found());
    }
}
