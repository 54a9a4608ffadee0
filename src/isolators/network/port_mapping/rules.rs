//! The filters of a container as data: what is redirected where, on which link.
//!
//! All here are on what a link receives; those on what the host sends are in `flows`. A packet's ports are only where they are looked for if it has no IP options and is no fragment,
//! so all rules on ports ask for that; what has options or comes in fragments reaches no container and leaves none.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use super::ranges::Ports;
use crate::netlink::action::Action;
use crate::netlink::filter::{ANY, ARP, IP};
use crate::netlink::ports::{PortBlock, split};
use crate::netlink::{Handle, Keys, Mac};

/// The first byte is what it is about, the second how urgent it is: an agent's built-in isolator has the same.
pub(super) const FOR_ARP: u16 = 0x102;
/// See [`FOR_ARP`].
pub(super) const FOR_ICMP: u16 = 0x202;
const FOR_IP_HIGH: u16 = 0x301;
/// See [`FOR_ARP`].
pub(super) const FOR_IP: u16 = 0x302;
const FOR_IP_LOW: u16 = 0x303;

/// Behind all others: see [`FOR_ARP`].
pub(super) const FOR_ALL: u16 = 0x402;

/// The class of what a link receives, where classes mean nothing; and its qdisc.
pub(super) const INGRESS: Handle = Handle::new(0xffff, 0);

pub(super) const ICMP: u8 = 1;
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A filter without its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) priority: u16,
    pub(super) protocol: u16,
    pub(super) keys: Keys,
    /// Its qdisc is the parent of the filter.
    pub(super) class: Handle,
    /// None: the packet goes on to this link's own host or container, and no other filter is asked.
    pub(super) actions: Vec<Action>,
}

/// What the rules need to know of the host. Links by index, 0 for one that is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) address: Ipv4Addr,
    pub(super) mac: Mac,
    pub(super) eth0: u32,
    pub(super) lo: u32,
    /// The container's link on the host.
    pub(super) veth: u32,
}

/// The same of a container's inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    pub(super) address: Ipv4Addr,
    pub(super) eth0: u32,
    pub(super) lo: u32,
}

/// Ranges as blocks that a filter can match.
pub(super) fn blocks(ranges: &[Ports]) -> Vec<PortBlock> {
    let mut blocks: Vec<PortBlock> = ranges.iter().cloned().flat_map(split).collect();
    // What an update that was cut short has left may have some twice.
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

fn rule(priority: u16, keys: Keys, link: u32) -> Rule {
    Rule { priority, protocol: IP, keys, class: INGRESS, actions: vec![Action::Redirect { link }] }
}

/// Stays with who received it.
fn stays(priority: u16, keys: Keys) -> Rule {
    Rule { priority, protocol: IP, keys, class: INGRESS, actions: Vec::new() }
}

/// No options, and no fragment: neither MORE FRAGMENTS nor an offset.
pub(super) fn whole() -> Keys {
    Keys::new().no_options().u16(6, 0, 0x3fff)
}

/// What the container sends, whatever its ports.
pub(super) fn from_container(ends: &Ends) -> Vec<Rule> {
    let arp = Rule {
        priority: FOR_ARP,
        protocol: ARP,
        keys: Keys::new().anything(),
        class: INGRESS,
        actions: vec![Action::Redirect { link: ends.eth0 }],
    };
    // Nothing else is for anybody but itself: where it goes on it would come to the host as from a link of its own.
    let rest = Rule {
        priority: FOR_ALL,
        protocol: ANY,
        keys: Keys::new().anything(),
        class: INGRESS,
        actions: vec![Action::Redirect { link: ends.veth }],
    };
    vec![arp, rule(FOR_ICMP, Keys::new().protocol(ICMP), ends.eth0), rest]
}

/// What the container sends from these ports: to the host and its other containers, and to everybody else. From other ports it
/// sends nothing.
pub(super) fn from_ports(ends: &Ends, blocks: &[PortBlock]) -> Vec<Rule> {
    let own = [ends.address, LOCALHOST];
    let each = blocks.iter().flat_map(|block| {
        // Under nobody else's address.
        let keys = move |source| whole().source_ports(*block).source(source);
        let to_host = own.into_iter().flat_map(move |source| {
            own.map(|destination| rule(FOR_IP, keys(source).destination(destination), ends.lo))
        });
        to_host.chain([rule(FOR_IP_LOW, keys(ends.address), ends.eth0)])
    });
    each.collect()
}

/// What comes from outside for these ports.
pub(super) fn on_eth0(ends: &Ends, blocks: &[PortBlock]) -> Vec<Rule> {
    let keys = |block| whole().destination_mac(ends.mac).destination(ends.address).destination_ports(block);
    blocks.iter().map(|block| rule(FOR_IP, keys(*block), ends.veth)).collect()
}

/// What comes from the host and from its other containers for these ports.
pub(super) fn on_lo(ends: &Ends, blocks: &[PortBlock]) -> Vec<Rule> {
    blocks.iter().map(|block| rule(FOR_IP, whole().destination_ports(*block), ends.veth)).collect()
}

/// Types of ICMP that ask for something, or tell a router something: redirect, echo, router advertisement and solicitation,
/// timestamp, information, address mask (the registry of ICMP types, RFC 792, 950 and 1256).
const QUESTIONS: [u8; 7] = [5, 8, 9, 10, 13, 15, 17];

/// On the host's eth0 before all mirrors: only the host is asked, whoever has its address, too.
pub(super) fn questions() -> [Rule; QUESTIONS.len()] {
    QUESTIONS.map(|kind| stays(FOR_ICMP, Keys::new().no_options().protocol(ICMP).u8(20, kind, u8::MAX)))
}

/// What of eth0 is mirrored to every container: answers and errors, which may be for any of them. They do not ask for an
/// address: it may be another one by the time that the next container comes.
pub(super) fn mirrored(priority: u16, actions: Vec<Action>) -> Rule {
    let (protocol, keys) = match priority {
        FOR_ARP => (ARP, Keys::new().anything()),
        _ => (IP, Keys::new().no_options().protocol(ICMP)),
    };
    Rule { priority, protocol, keys, class: INGRESS, actions }
}

/// On the host's eth0 behind all mirrors, and on its lo: it has no ports, and what is in their place must not be taken for them.
pub(super) fn no_ports() -> Rule {
    stays(FOR_ICMP, Keys::new().protocol(ICMP))
}

/// What the container sends to the host's address or to 127.0.0.1, whatever its own ports: to the host. Only ICMP stays.
pub(super) fn inside_lo(inside: &Inside) -> Vec<Rule> {
    let each = [inside.address, LOCALHOST].map(|address| {
        let keys = Keys::new().destination(address);
        [stays(FOR_ICMP, keys.clone().protocol(ICMP)), rule(FOR_IP, keys, inside.eth0)]
    });
    each.into_iter().flatten().collect()
}

/// But what it sends to its own ports.
pub(super) fn inside_lo_ports(blocks: &[PortBlock]) -> Vec<Rule> {
    blocks.iter().map(|block| stays(FOR_IP_HIGH, whole().destination_ports(*block))).collect()
}

/// What comes to 127.0.0.1, and to its own ports, is received by lo: the kernel takes it from no other.
pub(super) fn inside_eth0_ports(inside: &Inside, blocks: &[PortBlock]) -> Vec<Rule> {
    let keys = |block| whole().destination(LOCALHOST).destination_ports(block);
    blocks.iter().map(|block| rule(FOR_IP, keys(*block), inside.lo)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ENDS: Ends =
        Ends { address: Ipv4Addr::new(10, 1, 2, 3), mac: Mac([2, 0, 0, 0, 0, 1]), eth0: 2, lo: 1, veth: 7 };
    const INSIDE: Inside = Inside { address: ENDS.address, eth0: 2, lo: 1 };

    #[test]
    fn priorities_are_those_of_the_built_in_isolator() {
        assert_eq!([FOR_ARP, FOR_ICMP, FOR_IP_HIGH, FOR_IP, FOR_IP_LOW], [258, 514, 769, 770, 771]);
    }

    #[test]
    fn as_many_as_there_are_blocks() {
        let blocks = blocks(&[31000..=31009, 33792..=34815]);
        assert_eq!(blocks.len(), 3);
        let from = from_ports(&ENDS, &blocks);
        assert_eq!((from.len(), on_eth0(&ENDS, &blocks).len(), on_lo(&ENDS, &blocks).len()), (15, 3, 3));
        assert!(from[..4].iter().all(|rule| rule.actions == [Action::Redirect { link: 1 }]));
        assert_eq!((from[4].priority, &from[4].actions[..]), (771, &[Action::Redirect { link: 2 }][..]));
        assert!(inside_lo_ports(&blocks).iter().all(|rule| rule.actions.is_empty() && rule.priority == 769));
        assert_eq!(inside_lo(&INSIDE).len(), 4);
    }

    /// How a packet of the kernel's looks to a key; enough of one.
    fn packet(protocol: u8, fragment: u16, header: u8, to: Ipv4Addr, ports: [u16; 2]) -> Vec<u8> {
        let mut bytes = vec![0_u8; 24];
        bytes[0] = 0x40 | header;
        bytes[6..8].copy_from_slice(&fragment.to_be_bytes());
        bytes[9] = protocol;
        bytes[16..20].copy_from_slice(&to.octets());
        bytes[20..22].copy_from_slice(&ports[0].to_be_bytes());
        bytes[22..24].copy_from_slice(&ports[1].to_be_bytes());
        bytes
    }

    fn matches(keys: &Keys, packet: &[u8]) -> bool {
        keys.words().iter().all(|key| {
            let at = usize::try_from(key.offset).unwrap();
            let word = u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
            word & key.mask == key.value
        })
    }

    #[test]
    fn what_has_options_or_comes_in_fragments_is_nobodys() {
        let rules = on_lo(&ENDS, &blocks(&[31000..=31007]));
        let to = |fragment, header| matches(&rules[0].keys, &packet(17, fragment, header, LOCALHOST, [9, 31001]));
        assert!(to(0, 5) && to(0x4000, 5), "DON'T FRAGMENT is no fragment");
        assert!(!to(0x2000, 5) && !to(0x2001, 5) && !to(1, 5) && !to(0, 6));
    }

    proptest! {
        /// A packet to a port goes to the container that has it, and to no other.
        #[test]
        fn a_port_is_matched_once_or_not_at_all(first in 1_u16.., length in 0_u16..3000, port: u16) {
            let range = first..=first.saturating_add(length);
            let rules = on_lo(&ENDS, &blocks(std::slice::from_ref(&range)));
            let packet = packet(6, 0, 5, LOCALHOST, [80, port]);
            let matching = rules.iter().filter(|rule| matches(&rule.keys, &packet)).count();
            prop_assert_eq!(matching, usize::from(range.contains(&port)));
        }
    }
}
