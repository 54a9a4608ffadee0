//! What is sent is, byte by byte, what `ip` and `tc` send: tests/fixtures/netlink, made by `capture` there.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::netlink::action::{Action, Control, mirrors};
use crate::netlink::address::{self, Address};
use crate::netlink::class::{self, Class};
use crate::netlink::filter::{self, ARP, Filter, IP, Name};
use crate::netlink::link::{self, Change};
use crate::netlink::ports::{PortBlock, split};
use crate::netlink::qdisc::{self, FqCodel, Kind, Qdisc, Tbf};
use crate::netlink::route::{self, Route};
use crate::netlink::veth::{self, End};
use crate::netlink::{Clock, Device, Handle, Keys, Mac, Request};

// As they were where the messages were captured.
const LO: Device<'_> = Device { index: 1, name: "lo" };
const V0: Device<'_> = Device { index: 2, name: "v0" };
const V1: Device<'_> = Device { index: 3, name: "v1" };
const CLOCK: Clock = Clock::USUAL;
const INGRESS: Handle = Handle::new(0xffff, 0);
const MAC: Mac = Mac([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 1);

/// The command and what it sent, without number and sender.
fn captured(name: &str) -> (String, Vec<u8>) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/netlink").join(name).with_extension("hex");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (command, hex) = text.split_once('\n').unwrap();
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let mut bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    bytes[8..16].fill(0);
    (command.to_owned(), bytes)
}

#[track_caller]
fn same(name: &str, request: &Request<'_>) {
    let (command, bytes) = captured(name);
    let text = |bytes: &[u8]| {
        let words: Vec<_> =
            bytes.chunks(4).map(|word| word.iter().map(|b| format!("{b:02x}")).collect::<String>()).collect();
        words.join("\n")
    };
    assert_eq!(text(request.bytes().unwrap()), text(&bytes), "{command}");
}

#[test]
fn links() {
    let end = End { name: "mesos0123456789", mac: Some(MAC), mtu: Some(1400) };
    let peer = End { name: "eth0", mac: Some(Mac([0x02, 0x11, 0x22, 0x33, 0x44, 0x56])), ..end };
    same("link-veth", &veth::tests::with_number(&end, &peer, 4));
    same("link-delete", &link::delete(Device { index: 4, name: "mesos0123456789" }));
    let change = |change: Change<'static>| link::change(V0, &change);
    same("link-mtu", &change(Change { mtu: Some(1400), ..Change::default() }));
    same("link-segments", &change(Change { most_at_once: Some(3), ..Change::default() }));
    same("link-address", &change(Change { mac: Some(MAC), ..Change::default() }));
    same("link-name", &change(Change { name: Some("other"), ..Change::default() }));
    same("link-up", &change(Change { up: Some(true), ..Change::default() }));
    same("link-down", &change(Change { up: Some(false), ..Change::default() }));
}

#[test]
fn addresses_and_routes() {
    let with = Address { address: HOST, prefix: 24, broadcast: Some(Ipv4Addr::new(10, 1, 2, 255)) };
    same("address-add", &address::add(V0, &with));
    same("address-delete", &address::delete(V0, &with));
    let inside = Address { address: Ipv4Addr::new(127, 0, 0, 5), prefix: 8, broadcast: None };
    same("address-loopback", &address::add(LO, &inside));
    same("route-default", &route::add(V0, &Route::default_by(ROUTER)));
    same("route-delete", &route::delete(V0, &Route::default_by(ROUTER)));
    let onlink = Route { onlink: true, metric: 77, ..Route::default_by(Ipv4Addr::new(10, 200, 0, 1)) };
    same("route-onlink", &route::add(V0, &onlink));
    let destination = Ipv4Addr::new(10, 9, 0, 0);
    let net = Route { destination, prefix: 16, gateway: None, other_router: false, onlink: false, metric: 0 };
    same("route-link", &route::add(V0, &net));
}

#[test]
fn qdiscs() {
    let (first, second) = (Handle::new(1, 1), Handle::new(1, 2));
    let add = |parent, handle, kind| qdisc::add(V0, &Qdisc { parent, handle, kind }, &CLOCK);
    same("qdisc-ingress", &qdisc::add(V0, &Qdisc::ingress(), &CLOCK));
    same("qdisc-htb", &add(Handle::ROOT, Handle::new(1, 0), Kind::Htb { default: 1 }));
    same("qdisc-fq_codel", &add(first, Handle::NONE, Kind::FqCodel(FqCodel::default())));
    let full = FqCodel {
        limit: Some(1000),
        flows: Some(512),
        target: Some(6000),
        interval: Some(90_000),
        quantum: Some(3028),
        ecn: Some(false),
        ..FqCodel::default()
    };
    same("qdisc-fq_codel-full", &add(first, Handle::new(2, 0), Kind::FqCodel(full)));
    same("qdisc-pfifo", &add(first, Handle::new(2, 0), Kind::Pfifo { limit: Some(77) }));
    same("qdisc-pfifo-plain", &add(second, Handle::new(3, 0), Kind::Pfifo { limit: None }));
    same("qdisc-delete", &qdisc::delete(V0, first, Handle::new(2, 0)));
    let put = |handle, tbf| qdisc::replace(V1, &Qdisc { parent: Handle::ROOT, handle, kind: Kind::Tbf(tbf) }, &CLOCK);
    same("qdisc-tbf", &put(Handle::new(5, 0), Tbf { rate: 2_500_000, burst: 10 << 10, limit: 100 << 10 }));
    same("qdisc-tbf-wide", &put(Handle::new(6, 0), Tbf { rate: 5_000_000_000, burst: 1 << 20, limit: 10 << 20 }));
}

#[test]
fn classes() {
    let (parent, first, second) = (Handle::new(1, 0), Handle::new(1, 1), Handle::new(1, 2));
    same("class-htb", &class::add(V0, &Class::limited(parent, first, 2_500_000), &CLOCK));
    let changed = Class {
        rate: 37_500,
        ceil: Some(9_625_000),
        burst: Some(30 << 10),
        ceil_burst: Some(20 << 10),
        quantum: Some(5000),
        priority: 3,
        ..Class::limited(parent, first, 0)
    };
    same("class-htb-replace", &class::replace(V0, &changed, &CLOCK));
    let wide = Class { ceil: Some(12_500_000_000), ..Class::limited(parent, second, 5_000_000_000) };
    same("class-htb-wide", &class::add(V0, &wide, &CLOCK));
    same("class-delete", &class::delete(V0, second));
}

/// A filter at `ffff:` that gives the class `ffff:0`, as all do that port mapping has there.
fn at_ingress(priority: u16, protocol: u16, keys: Keys, actions: Vec<Action>) -> Filter {
    let name = Name { parent: INGRESS, priority, protocol, table: 0, node: 0 };
    Filter { name, keys, class: Some(INGRESS), actions }
}

fn named(mut filter: Filter, table: u16, node: u16) -> Filter {
    (filter.name.table, filter.name.node) = (table, node);
    filter
}

#[test]
fn filters() {
    let blocks = split(31000..=31007);
    assert_eq!(blocks.len(), 1);
    let block = blocks[0];
    let to = |device: Device<'_>| vec![Action::Redirect { link: device.index }];
    let add = |filter| filter::add(V0, &filter);

    let sources = at_ingress(771, IP, Keys::new().no_options().source_ports(block), to(V1));
    same("filter-source-ports", &add(named(sources.clone(), 0x800, 0x123)));
    let next = Keys::new().source_ports(split(31008..=31015)[0]);
    same("filter-any-table", &add(named(at_ingress(771, IP, next, to(V1)), 0, 0x124)));
    let keys = Keys::new().no_options().destination(HOST).source_ports(block);
    same("filter-to-host", &add(at_ingress(770, IP, keys, to(LO))));
    let keys = Keys::new().destination_mac(MAC).no_options().destination(HOST).destination_ports(block);
    same("filter-mac", &add(at_ingress(770, IP, keys, to(V1))));
    let keys =
        Keys::new().u32(12, 0x0a01_0000, 0xffff_0000).source_ports(PortBlock::single(53)).destination_ports(block);
    same("filter-both-ports", &add(at_ingress(770, IP, keys, vec![])));
    let keys = Keys::new().protocol(1).destination(HOST);
    let both = mirrors(&[V1.index, LO.index], Control::Continue);
    same("filter-icmp", &add(named(at_ingress(514, IP, keys, both), 0x803, 1)));
    same("filter-arp", &add(at_ingress(258, ARP, Keys::new().anything(), to(V1))));
    let port = || Keys::new().source_ports(PortBlock::single(1));
    same("filter-drop", &add(at_ingress(771, IP, port(), vec![Action::Plain(Control::Drop)])));
    same("filter-pass", &add(at_ingress(771, IP, port(), vec![Action::Plain(Control::Pass)])));
    let name = Name { parent: Handle::new(1, 0), priority: 770, protocol: IP, table: 0x800, node: 3 };
    let class = Some(Handle::new(1, 3));
    same("filter-flow", &add(Filter { name, keys: Keys::new().source_ports(block), class, actions: vec![] }));

    let mut changed = named(at_ingress(771, IP, Keys::new(), to(LO)), 0x800, 0x123);
    changed.class = None;
    same("filter-change", &filter::replace(V0, &changed));
    same("filter-delete", &filter::delete(V0, changed.name));
}

#[test]
fn every_captured_message_is_compared() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/netlink");
    let source = include_str!("golden.rs");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "hex") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(source.contains(&format!("same(\"{name}\", ")), "{name}");
        }
    }
}
