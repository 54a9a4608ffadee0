//! Links, addresses and routes.

use std::net::Ipv4Addr;

use mesos_ecp::netlink::address::{self, Address};
use mesos_ecp::netlink::link::{self, Change, Link};
use mesos_ecp::netlink::route::{self, Route};
use mesos_ecp::netlink::veth::{self, End};
use mesos_ecp::netlink::{Device, Mac};
use serde_json::Value;

use crate::host::{Host, UP, end};

const MAC: Mac = Mac([2, 0x11, 0x22, 0x33, 0x44, 0x55]);

/// What `ip` and we say of every link of a host must be the same.
fn compare(host: &Host) {
    let listed = host.json("ip -s link show");
    let listed = listed.as_array().unwrap();
    let links = Link::all(&mut host.socket()).unwrap();
    assert_eq!(links.len(), listed.len());
    for (link, said) in links.iter().zip(listed) {
        assert_eq!(said["ifindex"], link.index);
        assert_eq!(said["ifname"], link.name);
        assert_eq!(said["mtu"], link.mtu);
        assert_eq!(said["address"].as_str().unwrap(), link.mac.unwrap().to_string());
        let flags = said["flags"].as_array().unwrap();
        assert_eq!(flags.contains(&Value::from("UP")), link.up, "{said}");
        assert_eq!(flags.contains(&Value::from("LOOPBACK")), link.loopback);
        if let (true, Some(carrier)) = (link.up, link.carrier) {
            assert_eq!(flags.contains(&Value::from("LOWER_UP")), carrier, "{said}");
        }
        let statistics = &said["stats64"];
        assert_eq!(statistics["rx"]["errors"], link.statistics.rx_errors);
        assert_eq!(statistics["rx"]["dropped"], link.statistics.rx_dropped);
        assert_eq!(statistics["tx"]["dropped"], link.statistics.tx_dropped);
        let single = Link::numbered(&mut host.socket(), link.index).unwrap().unwrap();
        assert_eq!((&single.name, single.mac), (&link.name, link.mac));
    }
}

#[test]
fn a_pair_into_another_namespace_is_as_it_was_asked_for() {
    let (Some(host), Some(inside)) = (Host::new(), Host::new()) else { return };
    let outer = End { name: "mesos0123456789", mac: Some(MAC), mtu: Some(1400) };
    let inner = End { name: "eth0", mac: Some(Mac([2, 0, 0, 0, 0, 7])), mtu: Some(1300) };
    // Both hosts may have some links from the start; not an eth0 up.
    inside.try_run("ip link delete eth0").ok();
    host.socket().perform(&veth::create(&outer, &inner, Some(inside.namespace()))).unwrap();
    let (a, b) = (host.link("mesos0123456789"), inside.link("eth0"));
    assert_eq!((a.mac, a.mtu, a.up), (outer.mac, 1400, false));
    assert_eq!((b.mac, b.mtu, b.up), (inner.mac, 1300, false));
    assert_eq!((a.peer, b.peer), (Some(b.index), Some(a.index)));
    assert!(a.peer_namespace.is_some() && b.peer_namespace.is_some());
    assert_eq!(a.kind.as_deref(), Some("veth"));
    host.socket().perform(&link::change(a.device(), &UP)).unwrap();
    assert_eq!(host.link("mesos0123456789").carrier, Some(false));
    inside.socket().perform(&link::change(b.device(), &UP)).unwrap();
    assert_eq!(host.link("mesos0123456789").carrier, Some(true));
    compare(&host);
    compare(&inside);

    // Deleting one end takes the other with it.
    host.socket().perform(&link::delete(a.device())).unwrap();
    assert_eq!(Link::named(&mut inside.socket(), "eth0").unwrap(), None);
    assert_eq!(Link::numbered(&mut host.socket(), a.index).unwrap(), None);
    let error = host.socket().perform(&link::delete(a.device())).unwrap_err();
    assert_eq!(error.to_string(), "cannot delete link mesos0123456789: No such device (os error 19)");
}

#[test]
fn changes_are_what_ip_sees() {
    let (Some(host), Some(other)) = (Host::new(), Host::new()) else { return };
    host.ip("link add v0 mtu 1450 address 02:00:00:00:00:09 type veth peer name v1");
    compare(&host);
    let mut socket = host.socket();
    let v0 = host.link("v0");
    assert_eq!((v0.mac, v0.mtu), (Some(Mac([2, 0, 0, 0, 0, 9])), 1450));
    let change = Change { mtu: Some(1400), mac: Some(MAC), name: Some("first"), ..Change::default() };
    socket.perform(&link::change(v0.device(), &change)).unwrap();
    let first = &host.json("ip link show first")[0];
    assert_eq!((&first["mtu"], &first["address"]), (&1400.into(), &"02:11:22:33:44:55".into()));
    socket.perform(&link::change(v0.device(), &Change { up: Some(true), ..Change::default() })).unwrap();
    assert!(host.link("first").up);
    socket.perform(&link::change(v0.device(), &Change { up: Some(false), ..Change::default() })).unwrap();
    assert!(!host.link("first").up);
    let away = Change { namespace: Some(other.namespace()), ..Change::default() };
    socket.perform(&link::change(v0.device(), &away)).unwrap();
    assert_eq!(Link::named(&mut socket, "first").unwrap(), None);
    assert_eq!(other.link("first").mac, Some(MAC));
    compare(&other);
}

#[test]
fn what_the_kernel_refuses_says_on_what_and_why() {
    let Some(host) = Host::new() else { return };
    host.pair("v0", "v1");
    let mut socket = host.socket();
    let error = socket.perform(&veth::create(&end("v0"), &end("v2"), None)).unwrap_err();
    assert_eq!(error.to_string(), "cannot create veth v0 with its peer v2: File exists (os error 17)");
    assert_eq!(error.errno(), Some(17));
    assert_eq!(Link::named(&mut socket, "v2").unwrap(), None);
    let error =
        socket.perform(&link::change(host.link("v0").device(), &Change { mtu: Some(1 << 20), ..Change::default() }));
    let text = "cannot change link v0: Invalid argument (os error 22) (mtu greater than device maximum)";
    assert_eq!(error.unwrap_err().to_string(), text);
    let error = socket.perform(&link::delete(Device { index: 0, name: "v0" })).unwrap_err();
    assert_eq!(error.to_string(), "cannot delete link v0: no link has the index 0");
    Link::named(&mut socket, "a-name-of-more-than-15-bytes").unwrap_err();
}

#[test]
fn statistics_count_what_went_through() {
    let Some(host) = Host::new() else { return };
    let (v0, _) = host.pair("v0", "v1");
    let before = host.link("v0").statistics;
    let address = Address { address: Ipv4Addr::new(10, 1, 2, 3), prefix: 24, broadcast: None };
    host.socket().perform(&address::add(v0.device(), &address)).unwrap();
    host.ip("neigh add 10.1.2.9 lladdr 02:00:00:00:00:09 dev v0");
    host.within(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        for _ in 0..50 {
            socket.send_to(&[0; 100], "10.1.2.9:9").unwrap();
        }
    });
    let (sent, received) = (host.link("v0").statistics, host.link("v1").statistics);
    assert!(sent.tx_packets - before.tx_packets >= 50 && sent.tx_bytes - before.tx_bytes >= 50 * 142, "{sent:?}");
    assert!(received.rx_packets >= 50 && received.rx_bytes >= 50 * 142, "{received:?}");
}

#[test]
fn addresses_and_routes_are_what_ip_sees_and_the_other_way_round() {
    let Some(host) = Host::new() else { return };
    let (v0, v1) = host.pair("v0", "v1");
    let mut socket = host.socket();
    assert_eq!(route::default_link(&mut socket).unwrap(), None);
    let own =
        Address { address: Ipv4Addr::new(10, 1, 2, 3), prefix: 24, broadcast: Some(Ipv4Addr::new(10, 1, 2, 255)) };
    socket.perform(&address::add(v0.device(), &own)).unwrap();
    let said = &host.json("ip -4 addr show dev v0")[0]["addr_info"][0];
    assert_eq!((&said["local"], &said["prefixlen"]), (&"10.1.2.3".into(), &24.into()));
    assert_eq!((&said["broadcast"], &said["scope"]), (&"10.1.2.255".into(), &"global".into()));
    host.ip("addr add 10.7.0.1/16 dev v1");
    let second = Address { address: Ipv4Addr::new(10, 7, 0, 1), prefix: 16, broadcast: None };
    let all = address::all(&mut socket).unwrap();
    assert!(all.contains(&(v0.index, own)) && all.contains(&(v1.index, second)), "{all:?}");
    let error = socket.perform(&address::add(v0.device(), &own)).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot add address 10.1.2.3/24 to v0: File exists (os error 17)"),
        "{error}"
    );

    let first = Route::default_by(Ipv4Addr::new(10, 1, 2, 1));
    socket.perform(&route::add(v0.device(), &Route { metric: 5, ..first })).unwrap();
    host.ip("route add default via 10.7.0.9 dev v1 metric 3");
    host.ip("route add 10.8.0.0/16 dev v1");
    host.ip("route add blackhole 10.99.0.0/16");
    host.ip("route add 10.98.0.0/16 dev v1 table 7");
    host.ip("route add 10.97.0.0/16 nexthop via 10.1.2.7 dev v0 nexthop via 10.7.0.7 dev v1");
    let said = host.json("ip -4 route show default");
    let said = said.as_array().unwrap().iter().find(|route| route["dev"] == "v0").unwrap();
    assert_eq!((&said["gateway"], &said["metric"]), (&"10.1.2.1".into(), &5.into()));
    let (link, best) = route::default_link(&mut socket).unwrap().unwrap();
    assert_eq!(
        (link.name.as_str(), best),
        ("v1", Route { metric: 3, ..Route::default_by(Ipv4Addr::new(10, 7, 0, 9)) })
    );
    let routes = route::all(&mut socket).unwrap();
    let net = |second| Route { destination: Ipv4Addr::new(10, second, 0, 0), prefix: 16, ..first };
    assert!(routes.contains(&(v1.index, Route { gateway: None, ..net(8) })), "{routes:?}");
    assert!(routes.contains(&(v0.index, Route { gateway: Some(Ipv4Addr::new(10, 1, 2, 7)), ..net(97) })), "{routes:?}");
    assert!(!routes.iter().any(|(_, route)| [98, 99].contains(&route.destination.octets()[1])), "{routes:?}");
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        host.ip("-4 route add 10.96.0.0/16 via inet6 fe80::1 dev v1");
        host.ip("-4 route add 10.95.0.0/16 nexthop via inet6 fe80::2 dev v0 nexthop via 10.7.0.7 dev v1");
        let routes = route::all(&mut socket).unwrap();
        let by_other = |second| Route { gateway: None, other_router: true, ..net(second) };
        assert!(routes.contains(&(v1.index, by_other(96))) && routes.contains(&(v0.index, by_other(95))), "{routes:?}");
    }

    let far = Route { onlink: true, metric: 77, ..Route::default_by(Ipv4Addr::new(10, 200, 0, 1)) };
    socket.perform(&route::add(v0.device(), &far)).unwrap();
    assert!(route::all(&mut socket).unwrap().contains(&(v0.index, far)));
    socket.perform(&route::delete(v0.device(), &Route { metric: 5, ..first })).unwrap();
    let error = socket.perform(&route::delete(v0.device(), &Route { metric: 5, ..first })).unwrap_err();
    assert_eq!(error.to_string(), "cannot delete route 0.0.0.0/0 by 10.1.2.1 through v0: No such process (os error 3)");
    socket.perform(&address::delete(v0.device(), &own)).unwrap();
    assert!(!address::all(&mut socket).unwrap().contains(&(v0.index, own)));
}
