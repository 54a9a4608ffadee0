//! What holds of any answer, and of any filter.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use crate::netlink::action::{Action, Control};
use crate::netlink::any::{Any, TCP_SOCKET, decode, survives};
use crate::netlink::filter::{self, Entry, Filter, Name};
use crate::netlink::ports::PortBlock;
use crate::netlink::qdisc::{self, FqCodel, Kind, Qdisc, Tbf};
use crate::netlink::{Clock, Device, Handle, Keys, Mac};

const KINDS: [u16; 9] = [2, 3, 16, 20, 24, 36, 40, 44, TCP_SOCKET];

/// A datagram of one message of a kind.
fn datagram(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = (16 + body.len()) as u32;
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], body].concat()
}

const QDISCS: usize = 5;
const TBF: usize = 4;

/// One of each kind.
fn some_qdisc(which: usize) -> Qdisc {
    let settings = FqCodel { limit: Some(7), target: Some(8), ecn: Some(true), ..FqCodel::default() };
    let kind = match which {
        0 => return Qdisc::ingress(),
        1 => Kind::Htb { default: 0x11 },
        2 => Kind::FqCodel(settings),
        3 => Kind::Pfifo { limit: Some(5) },
        _ => Kind::Tbf(Tbf { rate: 1 << 33, burst: 5000, limit: 9000 }),
    };
    Qdisc { parent: Handle::ROOT, handle: Handle::new(1, 0), kind }
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
        filter in filter(), which in 0..QDISCS, wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let device = Device { index: 7, name: "v0" };
        let requests = [filter::add(device, &filter), qdisc::add(device, &some_qdisc(which), &Clock::USUAL)];
        for bytes in requests.iter().filter_map(|request| request.bytes()) {
            let mut bytes = bytes.to_vec();
            for (at, byte) in &wrong {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let answers = decode(&bytes);
            prop_assert!(!wrong.is_empty() || answers.iter().flatten().any(|answer| survives(answer) == Some(true)) || which == TBF);
            for answer in answers.iter().flatten() {
                prop_assert!(survives(answer) != Some(false), "{:?}", answer);
            }
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
