//! How long it takes to make what a container needs, by us and by `ip` and `tc`.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mesos_ecp::netlink::action::{self, Action, Control};
use mesos_ecp::netlink::filter::{self, ARP, Filter, IP, Name};
use mesos_ecp::netlink::ports::{PortBlock, split};
use mesos_ecp::netlink::qdisc::{self, Qdisc};
use mesos_ecp::netlink::{Clock, Handle, Keys, Link, Socket, link, veth};

use crate::host::{Host, UP, end};

const INGRESS: Handle = Handle::new(0xffff, 0);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const TIMES: usize = 20;

/// A pair into a namespace, its qdisc, four filters there and two each on `eth0` and `lo`.
fn ours(socket: &mut Socket, eth0: &Link, lo: &Link, inside: &Host, node: u16) {
    let name = format!("v{node}");
    socket.perform(&veth::create(&end(&name), &end("eth9"), Some(inside.namespace()))).unwrap();
    let veth = Link::named(socket, &name).unwrap().unwrap();
    let block = split(31000..=31007)[0];
    let filter = |priority, protocol, keys, to: &Link| Filter {
        name: Name { parent: INGRESS, priority, protocol, table: 0, node },
        keys,
        class: Some(INGRESS),
        actions: vec![Action::Redirect { link: to.index }],
    };
    let ports = || Keys::new().no_options().destination_ports(block);
    let mut requests = vec![
        link::change(veth.device(), &UP),
        qdisc::add(veth.device(), &Qdisc::ingress(), &Clock::USUAL),
        filter::add(veth.device(), &filter(771, IP, Keys::new().no_options().source_ports(block), eth0)),
        filter::add(veth.device(), &filter(770, IP, Keys::new().destination(HOST).source_ports(block), lo)),
        filter::add(veth.device(), &filter(514, IP, Keys::new().protocol(1), eth0)),
        filter::add(veth.device(), &filter(258, ARP, Keys::new().anything(), eth0)),
    ];
    for on in [eth0, lo] {
        requests.push(filter::add(on.device(), &filter(770, IP, ports().destination(HOST), &veth)));
        requests.push(filter::add(on.device(), &filter(771, IP, ports(), &veth)));
    }
    socket.perform_all(&requests).unwrap();
}

fn theirs(host: &Host, node: u16) {
    let (v, ports) = (format!("v{node}"), "match u8 5 0x0f at 0 match ip dport 31000 0xfff8");
    host.ip(&format!("link add {v} type veth peer name eth9-{node}"));
    host.ip(&format!("link set {v} up"));
    host.tc(&format!("qdisc add dev {v} ingress"));
    let add = |on: &str, what: &str, to: &str| {
        host.tc(&format!("filter add dev {on} parent ffff: {what} action mirred egress redirect dev {to}"));
    };
    let u32 = |priority| format!("protocol ip prio {priority} handle ::{node:x} u32 flowid ffff:0");
    add(&v, &format!("{} match u8 5 0x0f at 0 match ip sport 31000 0xfff8", u32(771)), "eth0");
    add(&v, &format!("{} match ip dst 10.1.2.3 match ip sport 31000 0xfff8", u32(770)), "lo");
    add(&v, &format!("{} match ip protocol 1 0xff", u32(514)), "eth0");
    add(&v, "protocol arp prio 258 u32 flowid ffff:0 match u32 0 0 at 0", "eth0");
    for on in ["eth0", "lo"] {
        add(on, &format!("{} {ports} match ip dst 10.1.2.3", u32(770)), &v);
        add(on, &format!("{} {ports}", u32(771)), &v);
    }
}

fn median(mut each: impl FnMut(u16)) -> Duration {
    let mut times: Vec<_> = (1..=TIMES as u16)
        .map(|number| {
            let start = Instant::now();
            each(number);
            start.elapsed()
        })
        .collect();
    times.sort();
    times[TIMES / 2]
}

#[test]
fn a_pair_and_eight_filters_take_a_small_part_of_what_the_programs_take() {
    let hosts: Option<Vec<Host>> = (0..2).map(|_| Host::new()).collect();
    let insides: Option<Vec<Host>> = (0..=TIMES).map(|_| Host::new()).collect();
    let (Some(hosts), Some(insides)) = (hosts, insides) else { return };
    for host in &hosts {
        host.try_run("ip link delete eth0").ok();
        host.pair("eth0", "p0");
        for on in ["lo", "eth0"] {
            host.tc(&format!("qdisc add dev {on} ingress"));
        }
    }
    let (mut socket, eth0, lo) = (hosts[0].socket(), hosts[0].link("eth0"), hosts[0].link("lo"));
    let ours = median(|number| ours(&mut socket, &eth0, &lo, &insides[usize::from(number)], number));
    let theirs = median(|number| theirs(&hosts[1], number));
    println!("a pair, its qdisc and eight filters: {ours:?}; by ip and tc {theirs:?}");
    assert!(ours * 3 < theirs, "{ours:?} and {theirs:?}");
}

/// What grows with the number of containers: the filters on the host's links, and the lists of mirrors.
#[test]
fn a_full_host_is_read_and_changed_in_some_milliseconds() {
    let Some(host) = Host::new() else { return };
    let (mut socket, lo) = (host.socket(), host.link("lo"));
    socket.perform(&qdisc::add(lo.device(), &Qdisc::ingress(), &Clock::USUAL)).unwrap();
    let name = |priority, node| Name { parent: INGRESS, priority, protocol: IP, table: 0x800, node };
    let mirrors = Filter {
        name: name(514, 1),
        keys: Keys::new().protocol(1),
        class: Some(INGRESS),
        actions: action::mirrors(&[lo.index; action::MOST], Control::Continue),
    };
    socket.perform(&filter::add(lo.device(), &mirrors)).unwrap();
    let redirect = |node| Filter {
        name: Name { table: 0, ..name(770, node) },
        keys: Keys::new().no_options().destination(HOST).destination_ports(PortBlock::single(node)),
        class: Some(INGRESS),
        actions: vec![Action::Redirect { link: lo.index }],
    };
    let requests: Vec<_> = (1..=480).map(|node| filter::add(lo.device(), &redirect(node))).collect();
    let start = Instant::now();
    socket.perform_all(&requests).unwrap();
    let adding = start.elapsed();
    let replacing = median(|_| socket.perform(&filter::replace(lo.device(), &mirrors)).unwrap());
    let listing = median(|_| assert_eq!(filter::all(&mut socket, lo.device(), INGRESS, 770).unwrap().len(), 480));
    println!("480 filters: added {adding:?}, listed {listing:?}; a list of 32 mirrors replaced {replacing:?}");
    assert!(listing < Duration::from_secs(1) && replacing < Duration::from_secs(1), "{listing:?} and {replacing:?}");
}
