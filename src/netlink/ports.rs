//! Ranges of ports as blocks that a filter can match: a value and a mask.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::RangeInclusive;

/// As many ports as a power of two, beginning at a multiple of their count: all ports P with `P & mask == first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortBlock {
    first: u16,
    mask: u16,
}

impl PortBlock {
    /// One port alone.
    pub const fn single(port: u16) -> PortBlock {
        PortBlock { first: port, mask: u16::MAX }
    }

    /// The lowest port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Which bits of a port count.
    pub const fn mask(self) -> u16 {
        self.mask
    }

    /// The highest port.
    pub const fn last(self) -> u16 {
        self.first | !self.mask
    }

    /// Whether a port is one of it.
    pub const fn contains(self, port: u16) -> bool {
        port & self.mask == self.first
    }
}

impl fmt::Display for PortBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last())
    }
}

/// Cuts a range into as few blocks as there can be, at most 30, in ascending order. They are disjoint and are together the range. An
/// empty range has none.
pub fn split(range: RangeInclusive<u16>) -> Vec<PortBlock> {
    let (mut next, end) = (u32::from(*range.start()), u32::from(*range.end()) + 1);
    let mut blocks = Vec::new();
    while next < end {
        // The largest that begins here, and does not go beyond the end.
        let size = (1 << next.trailing_zeros().min(16)).min(1 << (end - next).ilog2());
        blocks.push(PortBlock { first: next as u16, mask: !(size - 1) as u16 });
        next += size;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_of_some_ranges() {
        let text = |range| split(range).iter().map(|b| format!("{b}/{:x}", b.mask())).collect::<Vec<_>>().join(" ");
        assert_eq!(text(31000..=31007), "31000-31007/fff8");
        assert_eq!(text(31001..=31008), "31001-31001/ffff 31002-31003/fffe 31004-31007/fffc 31008-31008/ffff");
        assert_eq!(text(0..=u16::MAX), "0-65535/0");
        assert_eq!(text(u16::MAX..=u16::MAX), "65535-65535/ffff");
        #[allow(clippy::reversed_empty_ranges)]
        let nothing = 2..=1;
        assert_eq!(text(nothing), "");
        assert_eq!(split(1..=u16::MAX - 1).len(), 30);
    }

    /// The fewest blocks that cover a range, by another way: halving all ports.
    fn fewest(range: &RangeInclusive<u16>, first: u32, size: u32) -> usize {
        let (start, end) = (u32::from(*range.start()), u32::from(*range.end()) + 1);
        if end <= first || first + size <= start {
            return 0;
        }
        if start <= first && first + size <= end {
            return 1;
        }
        fewest(range, first, size / 2) + fewest(range, first + size / 2, size / 2)
    }

    proptest! {
        #[test]
        fn blocks_are_the_range(a: u16, b: u16) {
            let range = a.min(b)..=a.max(b);
            let blocks = split(range.clone());
            prop_assert_eq!(blocks.len(), fewest(&range, 0, 1 << 16));
            let mut next = u32::from(*range.start());
            for block in &blocks {
                prop_assert_eq!(u32::from(block.first()), next);
                let size = u32::from(!block.mask()) + 1;
                prop_assert!(size.is_power_of_two() && next.is_multiple_of(size));
                next = u32::from(block.last()) + 1;
            }
            prop_assert_eq!(next, u32::from(*range.end()) + 1);
        }

        #[test]
        fn a_port_is_in_one_block_or_none(a: u16, b: u16, port: u16) {
            let range = a.min(b)..=a.max(b);
            let holding = split(range.clone()).iter().filter(|block| block.contains(port)).count();
            prop_assert_eq!(holding, usize::from(range.contains(&port)));
        }
    }
}
