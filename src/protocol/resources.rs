//! Arithmetic on resources, as agents hand them over: a list in which a name may come several times.
//!
//! Entries of one name differ in role, reservation or disk; all of them are the container's, so they add up, as they do
//! in the agents.
#![forbid(unsafe_code)]

pub mod text;

use std::ops::RangeInclusive;

use super::mesos::Resource;

/// Bytes in what the agents call MB.
const MEBIBYTE: f64 = (1 << 20) as f64;

/// The sum over all entries of `name` that hold an amount.
///
/// `None` if there is none, and also if one of them is negative or not finite: such a list says nothing that a limit
/// could be derived from.
#[must_use]
pub fn scalar(resources: &[Resource], name: &str) -> Option<f64> {
    let mut amounts =
        named(resources, name).filter_map(|resource| resource.scalar).map(|scalar| scalar.value).peekable();
    amounts.peek()?;
    amounts.try_fold(0.0, |sum, amount| {
        // The sum of finite amounts may still leave the range.
        (amount.is_finite() && amount >= 0.0).then_some(f64::min(sum + amount, f64::MAX))
    })
}

/// The sum of all `mem` entries, in bytes; the largest number if it is beyond that.
///
/// `None` as for [`scalar`].
#[must_use]
pub fn mem_bytes(resources: &[Resource]) -> Option<u64> {
    scalar(resources, "mem").and_then(mebibytes)
}

/// An amount of memory or disk, which is in what agents call MB, in bytes; the largest number if it is beyond that. `None`
/// if it is negative or not finite.
#[must_use]
pub fn mebibytes(amount: f64) -> Option<u64> {
    // The conversion from a float saturates.
    (amount.is_finite() && amount >= 0.0).then_some((amount * MEBIBYTE) as u64)
}

/// What is in force after an update: `new`, with the old entries of `cpus` and of `mem` where `new` has none of that
/// name, or none that [`scalar`] accepts. A missing entry must not lift a limit.
#[must_use]
pub fn merge(old: &[Resource], mut new: Vec<Resource>) -> Vec<Resource> {
    for name in ["cpus", "mem"] {
        if scalar(&new, name).is_none() && scalar(old, name).is_some() {
            new.retain(|resource| resource.name != name);
            new.extend(named(old, name).cloned());
        }
    }
    new
}

/// All ranges of `name`, such as `ports`: sorted, overlapping and adjacent ones made one, empty ones left out.
#[must_use]
pub fn ranges(resources: &[Resource], name: &str) -> Vec<RangeInclusive<u64>> {
    let mut all: Vec<_> = named(resources, name)
        .filter_map(|resource| resource.ranges.as_ref())
        .flat_map(|ranges| &ranges.range)
        .filter(|range| range.begin <= range.end)
        .map(|range| (range.begin, range.end))
        .collect();
    all.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(all.len());
    for (begin, end) in all {
        match merged.last_mut() {
            Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => merged.push((begin, end)),
        }
    }
    merged.into_iter().map(|(begin, end)| begin..=end).collect()
}

/// Whether a `disk` entry is more than space in the sandbox: a volume that has to be mounted, or that outlives the
/// container. Such entries exist from agent 0.22 on.
#[must_use]
pub fn has_persistent_volume(resources: &[Resource]) -> bool {
    named(resources, "disk")
        .filter_map(|resource| resource.disk.as_ref())
        .any(|disk| disk.persistence.is_some() || disk.volume.is_some())
}

fn named<'a>(resources: &'a [Resource], name: &str) -> impl Iterator<Item = &'a Resource> {
    resources.iter().filter(move |resource| resource.name == name)
}

#[cfg(test)]
mod tests;
