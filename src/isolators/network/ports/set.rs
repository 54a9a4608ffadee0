//! Sets of ports.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::RangeInclusive;

/// In each word a bit for each of 64 ports.
const WORDS: usize = 1 << 10;

/// Any of the 65536 ports of TCP.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PortSet(Box<[u64]>);

impl Default for PortSet {
    fn default() -> PortSet {
        PortSet::words(0)
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PortSet {
    fn words(word: u64) -> PortSet {
        PortSet(vec![word; WORDS].into())
    }

    /// All ports.
    pub(super) fn all() -> PortSet {
        PortSet::words(u64::MAX)
    }

    /// Those of the ranges. Numbers that are no ports are passed over.
    pub(super) fn of(ranges: impl IntoIterator<Item = RangeInclusive<u64>>) -> PortSet {
        let mut set = PortSet::default();
        for range in ranges {
            let last = (*range.end()).min(u16::MAX.into());
            (*range.start()..=last).filter_map(|port| u16::try_from(port).ok()).for_each(|port| set.insert(port));
        }
        set
    }

    pub(super) fn insert(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port / 64)) {
            *word |= 1 << (port % 64);
        }
    }

    pub(super) fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port / 64)).is_some_and(|word| word & 1 << (port % 64) != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Without those of another.
    pub(super) fn without(mut self, other: &PortSet) -> PortSet {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    /// With those of another.
    pub(super) fn with(mut self, other: &PortSet) -> PortSet {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// Those that are in another, too.
    pub(super) fn within(mut self, other: &PortSet) -> PortSet {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        self
    }

    /// As few as there can be, in ascending order.
    pub(super) fn ranges(&self) -> Vec<RangeInclusive<u16>> {
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        for port in (0..=u16::MAX).filter(|port| self.contains(*port)) {
            match ranges.last_mut() {
                Some(last) if Some(*last.end()) == port.checked_sub(1) => *last = *last.start()..=port,
                _ => ranges.push(port..=port),
            }
        }
        ranges
    }

    /// As 8 KiB.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// From [`PortSet::bytes`].
    pub(super) fn read(bytes: &[u8]) -> Option<PortSet> {
        let (words, rest) = bytes.as_chunks();
        let words: Box<[u64]> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (rest.is_empty() && words.len() == WORDS).then_some(PortSet(words))
    }
}

/// More ranges than these are only counted: the text goes to frameworks.
const SHOWN: usize = 50;

/// As the agents write ranges: `[8080-8080, 9000-9005]`.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.ranges();
        let ranges = all.iter().map(|range| format!("{}-{}", range.start(), range.end()));
        let mut shown: Vec<String> = ranges.take(SHOWN).collect();
        if all.len() > SHOWN {
            let left: usize = all.iter().skip(SHOWN).map(ExactSizeIterator::len).sum();
            shown.push(format!("and {left} more"));
        }
        write!(f, "[{}]", shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_as_the_agents_write_them() {
        for (ranges, text) in [
            (vec![], "[]"),
            (vec![8080..=8080], "[8080-8080]"),
            (vec![9000..=9005, 80..=80, 81..=90, 85..=99], "[80-99, 9000-9005]"),
            (vec![0..=0, 65535..=u64::MAX, 70000..=80000], "[0-0, 65535-65535]"),
            (vec![0..=u64::MAX], "[0-65535]"),
        ] {
            assert_eq!(PortSet::of(ranges).to_string(), text);
        }
        assert_eq!(PortSet::all(), PortSet::of([0..=65535]));
        let many = PortSet::of((0..200).map(|n| 2 * n..=2 * n)).to_string();
        assert!(many.ends_with("96-96, 98-98, and 150 more]"), "{many}");
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_put_in(a in prop::collection::btree_set(any::<u16>(), 0..200),
                                    b in prop::collection::btree_set(any::<u16>(), 0..200)) {
            let set = |ports: &BTreeSet<u16>| PortSet::of(ports.iter().map(|p| u64::from(*p)..=u64::from(*p)));
            let left: BTreeSet<u16> = a.difference(&b).copied().collect();
            let found = set(&a).without(&set(&b));
            prop_assert_eq!(&found, &set(&left));
            prop_assert_eq!(found.ranges().into_iter().flatten().collect::<Vec<_>>(), left.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(found.is_empty(), left.is_empty());
            prop_assert_eq!(set(&a).within(&set(&b)), set(&a).without(&found));
            prop_assert_eq!(found.clone().with(&set(&b)), set(&a.union(&b).copied().collect()));
            prop_assert_eq!(PortSet::read(&found.bytes()), Some(found));
        }
    }

    #[test]
    fn what_is_no_set_is_not_read() {
        assert_eq!(PortSet::read(&[0; 8191]), None);
        assert_eq!(PortSet::read(&[0; 8184]), None);
        assert_eq!(PortSet::read(&[]), None);
    }
}
