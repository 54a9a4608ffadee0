//! Which container's link is in which of the shared filters that copy packets to all of them.
//!
//! The kernel takes 32 actions in one filter, so with more containers there are several, one for each 32 places. A container keeps its
//! place as long as it lives, so that whoever comes or goes changes one filter only. Each ends in `continue`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::rules::{FOR_ARP, FOR_ICMP, Rule, mirrored, no_ports, questions};
use crate::netlink::action::{Control, MOST, mirrors};

/// The numbers of the filters in their priority: in between there is room for as many mirrors as a host can have containers.
const FIRST: u16 = 0x001;
const MIRRORS: u16 = 0x010;
const LAST: u16 = 0xff0;

/// The lowest place that nobody has.
pub(super) fn free_place(taken: &[u32]) -> u32 {
    (0..).find(|place| !taken.contains(place)).unwrap_or(u32::MAX)
}

/// All shared filters of eth0 by priority and number, for containers given by place and link. Without containers there are none.
pub(super) fn shared(members: &[(u32, u32)]) -> BTreeMap<(u16, u16), Rule> {
    let mut filters = BTreeMap::new();
    if members.is_empty() {
        return filters;
    }
    for (node, question) in (FIRST..MIRRORS).zip(questions()) {
        filters.insert((FOR_ICMP, node), question);
    }
    filters.insert((FOR_ICMP, LAST), no_ports());
    let mut groups: BTreeMap<u16, BTreeMap<u32, u32>> = BTreeMap::new();
    for (place, link) in members {
        // A host has fewer than 65536 / 16 containers.
        let group = u16::try_from(*place as usize / MOST).unwrap_or(u16::MAX).min(LAST - MIRRORS - 1);
        groups.entry(group).or_default().insert(*place, *link);
    }
    for (group, links) in groups {
        let links: Vec<u32> = links.into_values().collect();
        for priority in [FOR_ARP, FOR_ICMP] {
            let rule = mirrored(priority, mirrors(&links, Control::Continue));
            filters.insert((priority, MIRRORS + group), rule);
        }
    }
    filters
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::netlink::action::Action;
    use proptest::prelude::*;

    #[test]
    fn with_33_there_are_two() {
        let members: Vec<(u32, u32)> = (0..33).map(|place| (place, 100 + place)).collect();
        let filters = shared(&members);
        let count = |node| filters[&(FOR_ARP, node)].actions.len();
        assert_eq!((count(0x10), count(0x11)), (32, 1));
        // Two for ARP and two for ICMP, seven questions before and what has no ports behind.
        assert_eq!(filters.len(), 4 + 7 + 1);
        assert!(filters[&(FOR_ICMP, 0x001)].actions.is_empty() && filters[&(FOR_ICMP, 0xff0)].actions.is_empty());
        assert!(shared(&[]).is_empty());
        // The 5th goes.
        let fewer: Vec<_> = members.iter().copied().filter(|(place, _)| *place != 4).collect();
        let after = shared(&fewer);
        assert_eq!(after[&(FOR_ARP, 0x11)], filters[&(FOR_ARP, 0x11)]);
        assert_eq!(after[&(FOR_ARP, 0x10)].actions.len(), 31);
    }

    #[test]
    fn places() {
        assert_eq!((free_place(&[]), free_place(&[0, 1, 3]), free_place(&[1])), (0, 2, 0));
    }

    proptest! {
        #[test]
        fn every_member_is_in_one_filter_and_each_goes_on(places in prop::collection::btree_set(0_u32..200, 1..120)) {
            let members: Vec<(u32, u32)> = places.iter().map(|place| (*place, 1000 + place)).collect();
            let filters = shared(&members);
            let mut seen = Vec::new();
            for ((priority, _), rule) in filters.iter().filter(|((priority, _), _)| *priority == FOR_ARP) {
                prop_assert_eq!(*priority, rule.priority);
                prop_assert!(rule.actions.len() <= MOST);
                for (number, action) in (1..).zip(&rule.actions) {
                    let Action::Mirror { link, then } = action else { panic!("{action:?}") };
                    let last = number == rule.actions.len();
                    prop_assert_eq!(*then, if last { Control::Continue } else { Control::Pipe });
                    seen.push(*link);
                }
            }
            seen.sort_unstable();
            let mut expected: Vec<u32> = members.iter().map(|(_, link)| *link).collect();
            expected.sort_unstable();
            prop_assert_eq!(seen, expected);
        }
    }
}
