//! Ranges of ports: which are free for a container, and which are nobody else's.
#![forbid(unsafe_code)]

use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// The first and the last port.
pub(super) type Ports = RangeInclusive<u16>;

/// The first range of `size` ports, beginning at a multiple of `size` (a power of two), that is in one of `all` and touches none
/// that is taken. So every range that is returned is one block for a filter.
pub(super) fn first_free(all: &[Ports], size: u16, taken: &[Ports]) -> Option<Ports> {
    candidates(all, size).find(|range| !taken.iter().any(|other| overlap(range, other)))
}

/// How many containers there can be at most.
pub(super) fn capacity(all: &[Ports], size: u16) -> usize {
    let mut found: Vec<u16> = candidates(all, size).map(|range| *range.start()).collect();
    // Those that were given may overlap.
    found.sort_unstable();
    found.dedup();
    found.len()
}

fn candidates(all: &[Ports], size: u16) -> impl Iterator<Item = Ports> + '_ {
    all.iter().flat_map(move |range| {
        let size = u32::from(size.max(1));
        let (first, end) = (u32::from(*range.start()).next_multiple_of(size), u32::from(*range.end()) + 1);
        (0..).map(move |number| first + number * size).take_while(move |first| first + size <= end).map(move |first| {
            // The end is 65536 at most.
            first as u16..=(first + size - 1) as u16
        })
    })
}

/// Whether they have a port in common.
pub(super) fn overlap(a: &Ports, b: &Ports) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

/// Two of both lists that overlap.
pub(super) fn common<'a>(a: &'a [Ports], b: &'a [Ports]) -> Option<(&'a Ports, &'a Ports)> {
    a.iter().find_map(|one| b.iter().find(|other| overlap(one, other)).map(|other| (one, other)))
}

/// The resource `ports` as ports.
///
/// # Errors
/// There is no port 0, and none above 65535.
pub(super) fn of_resource(ranges: &[RangeInclusive<u64>]) -> Result<Vec<Ports>> {
    let port = |number: u64| u16::try_from(number).ok().filter(|port| *port > 0);
    let each = ranges.iter().map(|range| match (port(*range.start()), port(*range.end())) {
        (Some(first), Some(last)) => Ok(first..=last),
        _ => Err(Error::Refused(format!(
            "the resource ports has {}-{}, and ports are 1 to 65535",
            range.start(),
            range.end()
        ))),
    });
    each.collect()
}

/// As in the agent's resources.
pub(super) fn show(range: &Ports) -> String {
    format!("{}-{}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::netlink::ports::split;
    use proptest::prelude::*;

    #[test]
    fn the_first_aligned_one_that_is_free() {
        let all = [32768..=57344];
        assert_eq!(first_free(&all, 1024, &[]), Some(32768..=33791));
        assert_eq!(first_free(&all, 1024, &[32768..=33791, 34000..=34000]), Some(34816..=35839));
        assert_eq!(first_free(&[32769..=34815], 1024, &[]), Some(33792..=34815));
        assert_eq!(first_free(&[1..=1023], 1024, &[]), None);
        assert_eq!(first_free(&[65520..=65535], 16, &[]), Some(65520..=65535));
        assert_eq!(first_free(&[65520..=65535], 16, &[65535..=65535]), None);
        assert_eq!((capacity(&all, 1024), capacity(&[1..=31, 16..=47], 16)), (24, 2));
        assert_eq!(capacity(&[1..=u16::MAX], 16), 4095);
    }

    #[test]
    fn ports_of_resources() {
        assert_eq!(of_resource(&[1..=2, 65535..=65535]).unwrap(), [1..=2, 65535..=65535]);
        for bad in [0..=5, 5..=65536, 70000..=70001] {
            assert!(of_resource(&[bad]).unwrap_err().to_string().contains("ports are 1 to 65535"));
        }
        assert_eq!(common(&[1..=5, 7..=9], &[6..=6, 9..=12]), Some((&(7..=9), &(9..=12))));
        assert_eq!(common(&[1..=5], &[6..=9]), None);
    }

    proptest! {
        /// Containers come and go; those with other counts of ports, too, as of agents with other flags.
        #[test]
        fn ranges_never_overlap_and_all_are_free_again(
            first: u16, last: u16, steps in prop::collection::vec((any::<u8>(), 4_u32..12), 1..80)
        ) {
            let all = [first.min(last)..=first.max(last)];
            let mut taken: Vec<Ports> = Vec::new();
            for (what, power) in steps {
                if what % 3 == 0 && !taken.is_empty() {
                    taken.remove(usize::from(what) % taken.len());
                    continue;
                }
                let size = 1_u16 << power;
                match first_free(&all, size, &taken) {
                    Some(range) => {
                        prop_assert!(all[0].contains(range.start()) && all[0].contains(range.end()));
                        prop_assert_eq!(split(range.clone()).len(), 1);
                        prop_assert_eq!(u32::from(*range.end()) - u32::from(*range.start()) + 1, u32::from(size));
                        prop_assert!(taken.iter().all(|other| !overlap(&range, other)));
                        taken.push(range);
                    }
                    None => prop_assert!(candidates(&all, size).all(|range| taken.iter().any(|other| overlap(&range, other)))),
                }
            }
            taken.clear();
            let mut count = 0;
            while let Some(range) = first_free(&all, 256, &taken) {
                taken.push(range);
                count += 1;
            }
            prop_assert_eq!(count, capacity(&all, 256));
        }
    }
}
