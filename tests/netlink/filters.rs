//! u32 filters: what we make tc shows, what tc makes we read, and every one by its exact handle.

use std::net::Ipv4Addr;

use mesos_ecp::netlink::action::{Action, Control, mirrors};
use mesos_ecp::netlink::filter::{self, ARP, Entry, Filter, IP, Name};
use mesos_ecp::netlink::ports::{PortBlock, split};
use mesos_ecp::netlink::qdisc::{self, Qdisc};
use mesos_ecp::netlink::{Clock, Handle, Keys, Link, Mac};

use crate::host::{Host, skip};

const INGRESS: Handle = Handle::new(0xffff, 0);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const MAC: Mac = Mac([2, 0x11, 0x22, 0x33, 0x44, 0x55]);

/// Two links with the qdisc for what they receive.
fn two_links(host: &Host) -> (Link, Link) {
    let (a, b) = host.pair("v0", "v1");
    for link in [&a, &b] {
        host.socket().perform(&qdisc::add(link.device(), &Qdisc::ingress(), &Clock::USUAL)).unwrap();
    }
    (a, b)
}

fn at(priority: u16, protocol: u16, table: u16, node: u16) -> Name {
    Name { parent: INGRESS, priority, protocol, table, node }
}

fn filter(name: Name, keys: Keys, actions: Vec<Action>) -> Filter {
    Filter { name, keys, class: Some(INGRESS), actions }
}

fn all(host: &Host, link: &Link) -> Vec<Filter> {
    let found = filter::all(&mut host.socket(), link.device(), INGRESS, 0).unwrap();
    assert!(found.iter().all(|found| found.whole && found.link == link.index));
    found.into_iter().map(|found| found.filter).collect()
}

/// tc's list, without the kernel's numbers for actions.
fn told(host: &Host, link: &Link) -> String {
    let text = host.tc(&format!("filter show dev {} parent ffff:", link.name));
    let lines = text.lines().map(|line| line.split("index").next().unwrap().trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn filters_are_the_same_as_those_made_by_tc() {
    let Some(host) = Host::new() else { return };
    let (v0, v1) = two_links(&host);
    let block = split(31000..=31007)[0];
    let lo = host.link("lo").index;
    let to = |link| vec![Action::Redirect { link }];
    // In ascending priorities, so that tables are numbered in that order.
    let made = [
        (
            filter(at(258, ARP, 0x800, 7), Keys::new().anything(), to(lo)),
            "protocol arp prio 258 handle 800::7 u32 flowid ffff:0 match u32 0 0 at 0 action mirred egress redirect dev lo",
        ),
        (
            filter(
                at(514, IP, 0x801, 1),
                Keys::new().protocol(1).destination(HOST),
                mirrors(&[lo, v1.index, lo], Control::Continue),
            ),
            "protocol ip prio 514 handle 801::1 u32 flowid ffff:0 match ip protocol 1 0xff match ip dst 10.1.2.3 \
             action mirred egress mirror dev lo pipe action mirred egress mirror dev v1 pipe action mirred egress mirror dev lo continue",
        ),
        (
            filter(
                at(770, IP, 0x802, 0xabc),
                Keys::new().destination_mac(MAC).no_options().destination(HOST).destination_ports(block),
                to(v1.index),
            ),
            "protocol ip prio 770 handle 802::abc u32 flowid ffff:0 match u16 0x0211 0xffff at -14 \
             match u32 0x22334455 0xffffffff at -12 match u8 5 0x0f at 0 match ip dst 10.1.2.3 \
             match ip dport 31000 0xfff8 action mirred egress redirect dev v1",
        ),
        (
            filter(at(771, IP, 0x803, 0x123), Keys::new().no_options().source_ports(block), to(v1.index)),
            "protocol ip prio 771 handle 803::123 u32 flowid ffff:0 match u8 5 0x0f at 0 \
             match ip sport 31000 0xfff8 action mirred egress redirect dev v1",
        ),
        (
            filter(at(771, IP, 0x803, 0xfff), Keys::new().source(HOST).source_ports(PortBlock::single(9)), vec![]),
            "protocol ip prio 771 handle 803::fff u32 flowid ffff:0 match ip src 10.1.2.3 match ip sport 9 0xffff",
        ),
    ];
    for (filter, command) in &made {
        // tc needs no number of a table, so it is said here only.
        let mut unnumbered = filter.clone();
        unnumbered.name.table = 0;
        host.socket().perform(&filter::add(v0.device(), &unnumbered)).unwrap();
        host.tc(&format!("filter add dev v1 parent ffff: {command}"));
    }
    assert_eq!(told(&host, &v0), told(&host, &v1));
    let expected: Vec<_> = made.iter().map(|(filter, _)| filter.clone()).collect();
    assert_eq!(all(&host, &v0), expected);
    assert_eq!(all(&host, &v1), expected);

    // Of one priority, and the tables.
    let mut socket = host.socket();
    let entries = filter::entries(&mut socket, v0.device(), INGRESS, 770).unwrap();
    assert_eq!(entries[0], Entry::Table(Name { node: 0, ..expected[2].name }));
    assert!(matches!(&entries[1], Entry::Filter(found) if found.filter == expected[2]));
    assert_eq!(entries.len(), 2);
}

#[test]
fn a_filter_is_replaced_and_deleted_by_its_exact_name() {
    let Some(host) = Host::new() else { return };
    let (v0, v1) = two_links(&host);
    let mut socket = host.socket();
    let one = |node, port, link| {
        filter(
            at(770, IP, 0x800, node),
            Keys::new().source_ports(PortBlock::single(port)),
            vec![Action::Redirect { link }],
        )
    };
    let (first, second, third) = (one(1, 11, v1.index), one(2, 22, v1.index), one(3, 33, v1.index));
    for filter in [&first, &second, &third] {
        socket.perform(&filter::add(v0.device(), filter)).unwrap();
    }
    let error = socket.perform(&filter::add(v0.device(), &second)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot add filter 800::2 at ffff: with priority 770 and protocol 0x0800 of v0: "),
        "{error}"
    );
    assert_eq!(error.errno(), Some(libc::EEXIST), "{error}");

    let changed = Filter { actions: mirrors(&[v1.index, v0.index], Control::Pass), ..second.clone() };
    socket.perform(&filter::replace(v0.device(), &changed)).unwrap();
    assert_eq!(all(&host, &v0), [first.clone(), changed, third.clone()]);
    let missing = one(9, 99, v1.index);
    let error = socket.perform(&filter::replace(v0.device(), &missing)).unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");

    socket.perform(&filter::delete(v0.device(), second.name)).unwrap();
    assert_eq!(all(&host, &v0), [first.clone(), third.clone()]);
    let error = socket.perform(&filter::delete(v0.device(), second.name)).unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");
    for name in [Name { node: 0, ..first.name }, Name { table: 0, ..first.name }, Name { priority: 0, ..first.name }] {
        socket.perform(&filter::delete(v0.device(), name)).unwrap_err();
    }
    // Of the table of another priority.
    socket.perform(&filter::delete(v0.device(), Name { priority: 771, ..first.name })).unwrap_err();
    assert_eq!(all(&host, &v0), [first.clone(), third.clone()]);
    host.tc("filter del dev v0 parent ffff: protocol ip prio 770 handle 800::1 u32");
    assert_eq!(all(&host, &v0), [third]);
}

#[test]
fn a_priority_keeps_its_table_until_it_is_deleted() {
    let Some(host) = Host::new() else { return };
    let (v0, v1) = two_links(&host);
    let mut socket = host.socket();
    let tables = || {
        let entries = filter::entries(&mut host.socket(), v0.device(), INGRESS, 0).unwrap();
        let tables =
            entries.into_iter().filter_map(|entry| if let Entry::Table(name) = entry { Some(name) } else { None });
        tables.map(|name| (name.priority, name.table)).collect::<Vec<_>>()
    };
    // With an action: if the kernel has to load its module, it begins again, and numbers tables that are not the first ones anew.
    let redirect = || vec![Action::Redirect { link: v1.index }];
    let keep = filter(at(3, IP, 0, 1), Keys::new().anything(), redirect());
    socket.perform(&filter::add(v0.device(), &keep)).unwrap();
    for _ in 0..3 {
        let other = filter(at(2, IP, 0, 5), Keys::new().anything(), redirect());
        socket.perform(&filter::add(v0.device(), &other)).unwrap();
        let found = all(&host, &v0).remove(0);
        assert_eq!(found.name, at(2, IP, 0x801, 5));
        socket.perform(&filter::delete(v0.device(), found.name)).unwrap();
        assert_eq!(tables(), [(2, 0x801), (3, 0x800)]);
    }
    socket.perform(&filter::delete_priority(v0.device(), INGRESS, 2, IP)).unwrap();
    assert_eq!(tables(), [(3, 0x800)]);
    let error = socket.perform(&filter::delete_priority(v0.device(), INGRESS, 2, IP)).unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");
    socket.perform(&filter::delete_priority(v0.device(), INGRESS, 0, IP)).unwrap_err();
    assert_eq!(all(&host, &v0), [named_in(keep, 0x800)]);
}

fn named_in(mut filter: Filter, table: u16) -> Filter {
    filter.name.table = table;
    filter
}

#[test]
fn what_is_not_ours_is_read_as_far_as_it_can_be() {
    let Some(host) = Host::new() else { return };
    let (v0, _) = two_links(&host);
    host.tc("filter add dev v0 parent ffff: protocol ip prio 5 handle 1: u32 divisor 16");
    host.tc(
        "filter add dev v0 parent ffff: protocol ip prio 5 u32 match ip dst 10.0.0.0/8 link 1: hashkey mask 0xf at 12",
    );
    host.tc("filter add dev v0 parent ffff: protocol ip prio 5 u32 ht 1:3: match ip dst 10.0.0.3 flowid 1:1");
    let found = filter::all(&mut host.socket(), v0.device(), INGRESS, 0).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].whole);
    assert_eq!(found[0].filter.keys, Keys::new().u32(16, 0x0a00_0000, 0xff00_0000));
}

#[test]
fn plain_actions_where_the_kernel_has_them() {
    let Some(host) = Host::new() else { return };
    let (v0, v1) = two_links(&host);
    let drop = filter(at(5, IP, 0, 1), Keys::new().protocol(1), vec![Action::Plain(Control::Drop)]);
    if let Err(error) = host.socket().perform(&filter::add(v0.device(), &drop)) {
        assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");
        assert!(error.to_string().ends_with("(Failed to load TC action module)"), "{error}");
        return skip("this kernel has no act_gact");
    }
    let others = [Control::Pass, Control::Continue].into_iter().zip(2..);
    for (control, node) in others {
        let keys = Keys::new().protocol(node);
        let plain = filter(at(5, IP, 0, node.into()), keys, vec![Action::Plain(control)]);
        host.socket().perform(&filter::add(v0.device(), &plain)).unwrap();
    }
    for (number, word) in [(1, "drop"), (2, "pass"), (3, "continue")] {
        let command = format!("match ip protocol {number} 0xff action {word}");
        host.tc(&format!(
            "filter add dev v1 parent ffff: protocol ip prio 5 handle 800::{number} u32 flowid ffff:0 {command}"
        ));
    }
    assert_eq!(told(&host, &v0), told(&host, &v1));
    assert_eq!(all(&host, &v0), all(&host, &v1));
}

/// As a host gives each of its containers a queue of its own: filters at the qdisc, whose classes are its flows.
#[test]
fn flows_of_many_queues() {
    let Some(host) = Host::new() else { return };
    let (v0, v1) = host.pair("v0", "v1");
    let parent = Handle::new(1, 0);
    let mut socket = host.socket();
    for link in [&v0, &v1] {
        let qdisc =
            Qdisc { parent: Handle::ROOT, handle: parent, kind: qdisc::Kind::FqCodel(qdisc::FqCodel::default()) };
        if let Err(error) = socket.perform(&qdisc::add(link.device(), &qdisc, &Clock::USUAL)) {
            assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");
            return skip("this kernel has no fq_codel");
        }
    }
    let block = split(31000..=31007)[0];
    let flow = |protocol, priority, node, keys, minor| Filter {
        name: Name { parent, priority, protocol, table: 0, node },
        keys,
        class: Some(Handle::new(1, minor)),
        actions: vec![],
    };
    let flows = [
        (flow(ARP, 1, 1, Keys::new().anything(), 2), "protocol arp prio 1 handle ::1 u32 match u32 0 0 flowid 1:2"),
        (
            flow(IP, 3, 9, Keys::new().source_ports(block), 3),
            "protocol ip prio 3 handle ::9 u32 match ip sport 31000 0xfff8 flowid 1:3",
        ),
        (
            flow(filter::ANY, 4, 1, Keys::new().anything(), 1),
            "protocol all prio 4 handle ::1 u32 match u32 0 0 flowid 1:1",
        ),
    ];
    for (flow, command) in &flows {
        socket.perform(&filter::add(v0.device(), flow)).unwrap();
        host.tc(&format!("filter add dev v1 parent 1: {command}"));
    }
    assert_eq!(host.tc("filter show dev v0 parent 1:"), host.tc("filter show dev v1 parent 1:"));
    let mut of = |link: &Link| filter::all(&mut socket, link.device(), parent, 0).unwrap();
    let (ours, theirs) = (of(&v0), of(&v1));
    for ((found, theirs), (flow, _)) in ours.iter().zip(&theirs).zip(&flows) {
        assert_eq!(found.filter, Filter { name: Name { table: found.filter.name.table, ..flow.name }, ..flow.clone() });
        assert_eq!(found.filter, theirs.filter);
    }
    assert_eq!((ours.len(), theirs.len()), (3, 3));
    host.ip("addr add 10.1.2.3/24 dev v0");
    host.ip(&format!("neigh add 10.1.2.9 lladdr {} dev v0", v1.mac.unwrap()));
    let packets = |host: &Host| qdisc::all(&mut host.socket(), v0.device()).unwrap()[0].statistics.packets;
    let before = packets(&host);
    host.within(|| {
        let socket = std::net::UdpSocket::bind("10.1.2.3:31001").unwrap();
        for _ in 0..10 {
            socket.send_to(b"x", "10.1.2.9:9").unwrap();
        }
    });
    assert!(packets(&host) >= before + 10);
}
