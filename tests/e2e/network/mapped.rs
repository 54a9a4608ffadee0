//! network/port_mapping: what arrives where.

use crate::network::bed::{Bed, HOST, LOCALHOST, Net, PEER, bed, bound, ephemeral, lasting, tcp, udp, udp_of};

/// Who can reach whom at a port, by both protocols.
#[track_caller]
fn reaches(from: &Net, to: &Net, address: std::net::Ipv4Addr, port: u16) {
    assert!(tcp(from, to, address, port, true).is_some(), "TCP to {address}:{port}");
    assert!(udp(from, to, address, port, true).is_some(), "UDP to {address}:{port}");
}

#[track_caller]
fn does_not_reach(from: &Net, to: &Net, address: std::net::Ipv4Addr, port: u16) {
    assert_eq!(tcp(from, to, address, port, false), None, "TCP to {address}:{port}");
    assert_eq!(udp(from, to, address, port, false), None, "UDP to {address}:{port}");
}

#[test]
fn from_outside_its_ports_are_the_containers_and_others_the_hosts() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let inside = Net::of(&container);
    for port in [31000, 31008, 31009] {
        reaches(&bed.peer, &inside, HOST, port);
    }
    for port in [31010, 30999, 8080] {
        does_not_reach(&bed.peer, &inside, HOST, port);
        reaches(&bed.peer, &bed.host, HOST, port);
    }
    does_not_reach(&bed.peer, &bed.host, HOST, 31000);
    // What it has bound of its ephemeral ports is reached, too.
    let (first, last) = ephemeral(&inside);
    assert_eq!((first % 1024, last - first), (0, 1023));
    reaches(&bed.peer, &inside, HOST, first);
    does_not_reach(&bed.peer, &inside, HOST, last + 1);
    container.destroy();
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn what_it_sends_comes_from_the_hosts_address_and_its_own_ports() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[]);
    let inside = Net::of(&container);
    let (first, last) = ephemeral(&inside);
    for who in [tcp(&inside, &bed.peer, PEER, 80, true), udp(&inside, &bed.peer, PEER, 53, true)] {
        let who = who.unwrap();
        assert_eq!(who.ip(), HOST);
        assert!((first..=last).contains(&who.port()), "{who}");
    }
    // By a port that is not its own nothing leaves it.
    let from = |port: u16| {
        let server = bed.peer.within(|| bound(|| std::net::UdpSocket::bind((PEER, 9999))));
        server.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        inside.within(|| bound(|| std::net::UdpSocket::bind((HOST, port))).send_to(b"x", (PEER, 9999)).unwrap());
        server.recv_from(&mut [0; 9]).is_ok()
    };
    assert!(from(first + 7));
    // Nor under another address.
    inside.run("ip addr add 10.77.0.99/24 dev eth0");
    let server = bed.peer.within(|| bound(|| std::net::UdpSocket::bind((PEER, 9998))));
    server.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let other = std::net::Ipv4Addr::new(10, 77, 0, 99);
    inside.within(|| bound(|| std::net::UdpSocket::bind((other, first + 9))).send_to(b"x", (PEER, 9998)).unwrap());
    assert!(server.recv_from(&mut [0; 9]).is_err());
    assert!(!from(last + 1) && !from(31000));
}

#[test]
fn host_and_containers_by_both_addresses() {
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, two) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)]));
    let (a, b) = (Net::of(&one), Net::of(&two));
    for address in [HOST, LOCALHOST] {
        reaches(&a, &b, address, 31015);
        reaches(&b, &a, address, 31002);
        reaches(&bed.host, &a, address, 31003);
        reaches(&a, &bed.host, address, 8080);
        // Itself.
        reaches(&a, &a, address, 31005);
        does_not_reach(&bed.host, &a, address, 31020);
        does_not_reach(&a, &b, address, 31020);
        does_not_reach(&a, &b, address, 31002);
        // A port of its own that somebody else listens at.
        does_not_reach(&a, &bed.host, address, 31002);
    }
    // Of which the host has as many as before.
    reaches(&bed.host, &bed.host, LOCALHOST, 9090);
    let (x, y) = (ephemeral(&a), ephemeral(&b));
    assert!(x.1 < y.0 || y.1 < x.0, "{x:?} {y:?}");
    one.destroy();
    reaches(&bed.peer, &b, HOST, 31016);
    reaches(&bed.host, &b, LOCALHOST, 31016);
    two.destroy();
    bed.assert_clean();
}

fn ping(net: &Net, address: std::net::Ipv4Addr) -> Result<String, String> {
    net.try_run(&format!("busybox ping -c 2 -w 5 {address}"))
}

#[test]
fn pings_are_answered_once() {
    let bed = bed!();
    let agent = bed.agent().build();
    let containers = [lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[])];
    for container in &containers {
        let inside = Net::of(container);
        for address in [PEER, HOST, LOCALHOST] {
            ping_works(&inside, address);
        }
    }
    for (net, address) in [(&bed.peer, HOST), (&bed.host, PEER), (&bed.host, HOST), (&bed.host, LOCALHOST)] {
        ping_works(net, address);
    }
}

#[track_caller]
fn ping_works(net: &Net, address: std::net::Ipv4Addr) {
    let said = ping(net, address).unwrap();
    // Only one of those that share the address answers.
    assert!(said.contains("2 packets received") && !said.contains("DUP"), "{address}: {said}");
}

#[test]
fn fragments_and_options_reach_nobody() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let inside = Net::of(&container);
    assert!(udp_of(&bed.peer, &inside, HOST, 31000, 1400, true).is_some());
    assert_eq!(udp_of(&bed.peer, &inside, HOST, 31000, 4000, false), None);
    assert_eq!(udp_of(&inside, &bed.peer, PEER, 53, 4000, false), None);
    // And the host loses none, whatever stands where ports would be.
    assert!(udp_of(&bed.peer, &bed.host, HOST, 8080, 4000, true).is_some());
    // As much as one likes by TCP.
    reaches(&bed.peer, &inside, HOST, 31000);
    let (first, _) = ephemeral(&inside);
    let sent = with_options(&bed, (HOST, 31001), &inside);
    assert!(!sent, "a packet with IP options has reached the container");
    assert!(first > 0);
}

/// Sends a packet with IP options (a timestamp) from the peer; whether it arrives.
fn with_options(bed: &Bed, to: (std::net::Ipv4Addr, u16), at: &Net) -> bool {
    use std::os::fd::AsRawFd;
    let server = at.within(|| std::net::UdpSocket::bind(("0.0.0.0", to.1)).unwrap());
    server.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let client = bed.peer.within(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap());
    // NOP, NOP, NOP, END.
    let options = [1_u8, 1, 1, 0];
    // SAFETY: four bytes are read.
    let done =
        unsafe { libc::setsockopt(client.as_raw_fd(), libc::IPPROTO_IP, libc::IP_OPTIONS, options.as_ptr().cast(), 4) };
    assert_eq!(done, 0);
    client.send_to(b"x", to).unwrap();
    server.recv_from(&mut [0; 9]).is_ok()
}

#[test]
fn inside_there_is_no_ipv6_and_the_hosts_settings_hold() {
    let bed = bed!();
    let agent = bed.agent().build();
    bed.host.set("ipv4/tcp_retries2", "11");
    let container = lasting(&agent, &[]);
    let inside = Net::of(&container);
    assert_eq!(inside.setting("ipv4/tcp_retries2"), "11");
    for link in ["all", "default", "lo", "eth0"] {
        assert!(["1", ""].contains(&inside.setting(&format!("ipv6/conf/{link}/disable_ipv6")).as_str()));
    }
    assert!(!inside.run("ip -6 addr").contains("inet6"));
    let (host, own) = (bed.host.run("ip -o link show eth0"), inside.run("ip -o link show eth0"));
    let mac = |text: &str| text.split("link/ether ").nth(1).unwrap()[..17].to_owned();
    assert_eq!(mac(&host), mac(&own));
    let route = inside.run("ip route");
    assert!(route.contains("default via 10.77.0.1 dev eth0") && route.contains("10.77.0.0/24 dev eth0"), "{route}");
}
