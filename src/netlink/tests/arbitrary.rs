//! What holds of any answer, and of any filter.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use crate::netlink::action::{Action, Control};
use crate::netlink::any::{Any, TCP_SOCKET, decode, survives};
use crate::netlink::filter::{self, Entry, Filter, Name};
use crate::netlink::ports::PortBlock;
use crate::netlink::{Device, Handle, Keys, Mac};

const KINDS: [u16; 9] = [2, 3, 16, 20, 24, 36, 40, 44, TCP_SOCKET];

/// A datagram of one message of a kind.
fn datagram(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = (16 + body.len()) as u32;
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], body].concat()
}

/// Bytes that are attributes, some of them with attributes in them.
fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let attribute = |value: Vec<u8>, kind: u16, wrong: i16| {
        let length = (4 + value.len() as i16 + wrong) as u16;
        let padding = value.len().next_multiple_of(4) - value.len();
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &value, &[0; 3][..padding]].concat()
    };
    let wrong = || prop_oneof![20 => Just(0_i16), 1 => -4..8_i16];
    let words = prop_oneof![
        Just("u32"),
        Just("htb"),
        Just("fq_codel"),
        Just("tbf"),
        Just("pfifo"),
        Just("mirred"),
        Just("gact")
    ];
    let leaf =
        prop_oneof![words.prop_map(|word| format!("{word}\0").into_bytes()), prop::collection::vec(any::<u8>(), 0..80)];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop::collection::vec((inner, 0..12_u16, wrong()), 0..6).prop_map(move |parts| {
            parts.into_iter().flat_map(|(value, kind, wrong)| attribute(value, kind, wrong)).collect()
        })
    })
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        Just(Control::Continue),
        Just(Control::Pass),
        Just(Control::Drop),
        Just(Control::Pipe),
        Just(Control::Stolen)
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        any::<u32>().prop_map(|link| Action::Redirect { link }),
        (any::<u32>(), control()).prop_map(|(link, then)| Action::Mirror { link, then }),
        control().prop_map(Action::Plain),
    ]
}

fn keys() -> impl Strategy<Value = Keys> {
    let step = (0..9_u8, any::<u32>(), any::<u32>(), -16..64_i32);
    prop::collection::vec(step, 0..8).prop_map(|steps| {
        steps.into_iter().fold(Keys::new(), |keys, (which, value, mask, offset)| {
            let block = PortBlock::single(value as u16);
            match which {
                0 => keys.u8(offset, value as u8, mask as u8),
                1 => keys.u16(offset, value as u16, mask as u16),
                2 => keys.u32(offset, value, mask),
                3 => keys.no_options(),
                4 => keys.destination_mac(Mac([1, 2, 3, value as u8, 5, 6])),
                5 => keys.source(Ipv4Addr::from_bits(value)),
                6 => keys.source_ports(block).destination_ports(block),
                7 => keys.protocol(value as u8),
                _ => keys.anything(),
            }
        })
    })
}

prop_compose! {
    fn filter()(
        parent: u32,
        priority in 1..=u16::MAX,
        protocol: u16,
        table in prop_oneof![Just(0_u16), 0x800..=0xfff_u16],
        node in 0..=0xfff_u16,
        keys in keys(),
        class in prop::option::of(any::<u32>()),
        actions in prop::collection::vec(action(), 0..34),
    ) -> Filter {
        let name = Name { parent: Handle(parent), priority, protocol, table, node };
        Filter { name, keys, class: class.map(Handle), actions }
    }
}

proptest! {
    #[test]
    fn any_answer_is_understood_or_refused(kind in 0..KINDS.len(), flags: u16, body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode(&datagram(KINDS[kind], flags, &body)).len() <= 1);
        decode(&body);
    }

    #[test]
    fn what_was_understood_can_be_asked_for(
        kind in 2..KINDS.len(), header in prop::collection::vec(any::<u8>(), 20), rest in attributes(), size in 0..4_usize,
    ) {
        let body = [&header[..[20, 16, 12, 8][size]], &rest].concat();
        for answer in decode(&datagram(KINDS[kind], 0, &body)).iter().flatten() {
            prop_assert!(survives(answer) != Some(false), "{:?}", answer);
        }
    }

    #[test]
    fn a_filter_is_read_as_it_is_sent(filter in filter()) {
        let request = filter::add(Device { index: 7, name: "v0" }, &filter);
        let Some(bytes) = request.bytes() else {
            prop_assert!(filter.actions.len() > 32 || request.numbered(0).unwrap_err().to_string().contains("contradict"));
            return Ok(());
        };
        let read = decode(bytes);
        let [Ok(Any::Filter(Entry::Filter(found)))] = read.as_slice() else { panic!("{read:?}") };
        prop_assert_eq!((&found.filter, found.link, found.whole), (&filter, 7, true));
    }
}
