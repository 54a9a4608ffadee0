//! What is measured of a container's network, against what `ip`, `tc`, `ss` and the files of /proc/net say inside.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use mesos_ecp::config::NetworkStatistics;
use mesos_ecp::isolators::network::statistics::{self, Inside};
use mesos_ecp::netlink::{Socket, veth};
use mesos_ecp::protocol::json;
use mesos_ecp::protocol::mesos::ResourceStatistics;
use prost::Message;
use serde_json::Value;

use crate::host::{Host, end, skip};

const ALL: NetworkStatistics = NetworkStatistics {
    network_enable_socket_statistics_summary: true,
    network_enable_socket_statistics_details: true,
    network_enable_snmp_statistics: true,
};

/// A host with a container: 10.9.0.1 on `h0`, and 10.9.0.2 on `eth0` inside.
struct Pair {
    host: Host,
    container: Host,
}

impl Pair {
    fn new() -> Option<Pair> {
        let (host, container) = (Host::new()?, Host::new()?);
        for quiet in [&host, &container] {
            // Where there is IPv6 it sends by itself.
            let _ = quiet.try_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
        }
        host.socket().perform(&veth::create(&end("h0"), &end("eth0"), Some(container.namespace()))).unwrap();
        for (side, link, address) in [(&host, "h0", "10.9.0.1/24"), (&container, "eth0", "10.9.0.2/24")] {
            side.ip(&format!("addr add {address} dev {link}"));
            side.ip(&format!("link set {link} up"));
        }
        Some(Pair { host, container })
    }

    fn try_measure(&self, veth: &str, flags: &NetworkStatistics) -> Result<ResourceStatistics, String> {
        let inside = Inside { namespace: self.container.namespace(), limited: Some("eth0") };
        let mut found = ResourceStatistics::default();
        let filled = self.host.within(|| {
            statistics::fill_link(&mut found, veth)?;
            statistics::fill_inside(&mut found, &inside, flags)
        });
        filled.map(|()| found).map_err(|error| error.to_string())
    }

    fn measure(&self, flags: &NetworkStatistics) -> ResourceStatistics {
        self.try_measure("h0", flags).unwrap()
    }

    /// A connection from inside to the host: the end inside, and the host's.
    fn connection(&self) -> (TcpStream, TcpStream) {
        let listener = self.host.within(|| TcpListener::bind("10.9.0.1:0").unwrap());
        let client = self.container.within(|| TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        (client, listener.accept().unwrap().0)
    }
}

fn transfer(mut from: &TcpStream, mut to: &TcpStream, bytes: usize) {
    let data = vec![7; bytes];
    std::thread::scope(|scope| {
        scope.spawn(|| from.write_all(&data).unwrap());
        to.read_exact(&mut vec![0; bytes]).unwrap();
    });
}

/// Packets may still be under way when both are asked: it holds at some time.
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it never holds: {what}");
}

#[test]
fn packets_are_counted_as_the_container_sees_them() {
    let Some(pair) = Pair::new() else { return };
    let (inside, outside) = pair.connection();
    transfer(&inside, &outside, 300_000);
    transfer(&outside, &inside, 100_000);
    soon("ip says the same inside", || {
        let found = pair.measure(&NetworkStatistics::default());
        let said = pair.container.json("ip -s link show eth0");
        let count = |direction: &str, name: &str| said[0]["stats64"][direction][name].as_u64();
        let rx = (found.net_rx_packets, found.net_rx_bytes, found.net_rx_errors, found.net_rx_dropped);
        let tx = (found.net_tx_packets, found.net_tx_bytes, found.net_tx_errors, found.net_tx_dropped);
        // What an end dropped itself only that end counts, and the host's end is the one that is asked.
        let ends = pair.host.json("ip -s link show h0");
        let dropped = |direction: &str| ends[0]["stats64"][direction]["dropped"].as_u64();
        let of = |d: &str, end: &str| (count(d, "packets"), count(d, "bytes"), count(d, "errors"), dropped(end));
        rx == of("rx", "tx") && tx == of("tx", "rx")
    });
    let found = pair.measure(&NetworkStatistics::default());
    let (sent, received) = (found.net_tx_bytes.unwrap(), found.net_rx_bytes.unwrap());
    assert!((300_000..400_000).contains(&sent) && (100_000..200_000).contains(&received), "{sent} {received}");
    // Nothing else is measured unasked.
    assert_eq!((found.net_tcp_active_connections, found.net_tcp_rtt_microsecs_p50), (None, None));
    assert_eq!((found.net_snmp_statistics, found.net_traffic_control_statistics.len()), (None, 0));
}

#[test]
fn connections_are_counted_as_in_the_containers_own_sockstat() {
    let Some(pair) = Pair::new() else { return };
    let flags = NetworkStatistics { network_enable_socket_statistics_summary: true, ..Default::default() };
    let counts = || {
        let found = pair.measure(&flags);
        assert_eq!((found.net_tcp_rtt_microsecs_p50, found.net_snmp_statistics), (None, None));
        (found.net_tcp_active_connections.unwrap(), found.net_tcp_time_wait_connections.unwrap())
    };
    assert_eq!(counts(), (0.0, 0.0));
    let both = pair.container.within(|| TcpListener::bind("[::]:9000").ok());
    let (first, second) = (pair.connection(), pair.connection());
    assert_eq!(counts(), (if both.is_some() { 3.0 } else { 2.0 }, 0.0));
    drop(both);
    // Who closes first waits.
    let (inside, mut outside) = first;
    drop(inside);
    assert_eq!(outside.read(&mut [0]).unwrap(), 0);
    drop(outside);
    soon("one waits for its end", || counts() == (1.0, 1.0));
    let said = pair.container.run("cat /proc/net/sockstat");
    assert!(said.contains("TCP: inuse 1 ") && said.contains(" tw 1 "), "{said}");
    let said = pair.container.run("ss -s");
    assert!(said.contains("timewait 1)"), "{said}");
    // The host has other figures.
    assert!(pair.host.run("cat /proc/net/sockstat").contains(" tw 0 "));
    drop(second);
}

/// `rtt:0.045/0.02` is in milliseconds.
fn times_by_ss(host: &Host) -> Vec<u64> {
    let said = host.run("ss -tniH state established dst 10.9.0.1");
    let times = said.split_whitespace().filter_map(|word| word.strip_prefix("rtt:")?.split('/').next());
    let mut times: Vec<u64> = times.map(|time| (time.parse::<f64>().unwrap() * 1000.0).round() as u64).collect();
    times.sort_unstable();
    times
}

#[test]
fn round_trip_times_are_those_that_ss_says() {
    let Some(pair) = Pair::new() else { return };
    if let Err(error) = pair.host.within(|| statistics::probe(&ALL)) {
        assert!(error.to_string().contains("tcp_diag"), "{error}");
        return skip("this kernel has no tcp_diag");
    }
    let flags = NetworkStatistics { network_enable_socket_statistics_details: true, ..Default::default() };
    assert_eq!(pair.measure(&flags).net_tcp_rtt_microsecs_p50, None);
    // Those by loopback do not count, however slow.
    let local = pair.container.within(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener)
    });
    assert_eq!(pair.measure(&flags).net_tcp_rtt_microsecs_p99, None);
    let connections: Vec<_> = (0..20).map(|_| pair.connection()).collect();
    for (inside, outside) in &connections {
        (0..5).for_each(|_| {
            transfer(inside, outside, 10);
            transfer(outside, inside, 10);
        });
    }
    soon("ss says the same", || {
        let (found, said) = (pair.measure(&flags), times_by_ss(&pair.container));
        let of = |percent: usize| Some(said[said.len() * percent / 100] as f64);
        said.len() == 20
            && found.net_tcp_rtt_microsecs_p50 == of(50)
            && found.net_tcp_rtt_microsecs_p90 == of(90)
            && found.net_tcp_rtt_microsecs_p95 == of(95)
            && found.net_tcp_rtt_microsecs_p99 == of(99)
    });
    drop(local);
}

#[test]
fn the_kernels_counts_are_the_containers_own() {
    let Some(pair) = Pair::new() else { return };
    let flags = NetworkStatistics { network_enable_snmp_statistics: true, ..Default::default() };
    let (inside, outside) = pair.connection();
    transfer(&inside, &outside, 100_000);
    soon("/proc/net/snmp says the same", || {
        let found = pair.measure(&flags).net_snmp_statistics.unwrap();
        let found = json::from_wire("mesos.SNMPStatistics", &found.encode_to_vec()).unwrap();
        let found: Value = serde_json::from_slice(&found).unwrap();
        let said = pair.container.run("cat /proc/net/snmp");
        let lines: Vec<&str> = said.lines().collect();
        lines.chunks(2).all(|lines| {
            let (protocol, names) = lines[0].split_once(": ").unwrap();
            let numbers = lines[1].split(' ').skip(1);
            let field = &found[format!("{}_stats", protocol.to_lowercase())];
            let same = |(name, number): (&str, &str)| match &field[name] {
                Value::Null => true,
                value => value.to_string().trim_matches('"') == number,
            };
            names.split(' ').zip(numbers).all(same)
        })
    });
    let tcp = pair.measure(&flags).net_snmp_statistics.unwrap().tcp_stats.unwrap();
    assert_eq!((tcp.active_opens, tcp.passive_opens, tcp.curr_estab), (Some(1), Some(0), Some(1)));
}

#[test]
fn what_the_rate_limit_did_is_what_tc_says() {
    let Some(pair) = Pair::new() else { return };
    let tc = |arguments: &str| pair.container.tc(arguments);
    tc("qdisc add dev eth0 root handle 1: htb default 1");
    tc("class add dev eth0 parent 1: classid 1:1 htb rate 2mbit");
    let has_fq_codel = pair.container.try_run("tc qdisc add dev eth0 parent 1:1 handle 2: fq_codel").is_ok();
    if !has_fq_codel {
        tc("qdisc add dev eth0 parent 1:1 handle 2: pfifo limit 10");
        skip("this kernel has no fq_codel");
    }
    let (inside, outside) = pair.connection();
    transfer(&inside, &outside, 200_000);
    let ids: &[&str] = if has_fq_codel { &["bw_limit", "bloat_reduction"] } else { &["bw_limit"] };
    soon("tc says the same", || {
        let found = pair.measure(&NetworkStatistics::default()).net_traffic_control_statistics;
        assert_eq!(found.iter().map(|one| &*one.id).collect::<Vec<_>>(), ids);
        let said = pair.container.json("tc -s qdisc show dev eth0");
        found.iter().zip(said.as_array().unwrap()).all(|(one, said)| {
            let count = |name: &str| said[name].as_u64();
            (one.bytes, one.packets, one.drops) == (count("bytes"), count("packets"), count("drops"))
                && (one.overlimits, one.requeues) == (count("overlimits"), count("requeues"))
                && (one.backlog, one.qlen) == (count("backlog"), count("qlen"))
        })
    });
    let found = pair.measure(&ALL).net_traffic_control_statistics;
    assert!(found[0].overlimits.unwrap() > 0 && found[0].bytes.unwrap() > 200_000, "{found:?}");
}

#[test]
fn a_container_that_has_lost_its_link_says_so_and_nobody_is_led_astray() {
    let Some(pair) = Pair::new() else { return };
    let error = pair.try_measure("h1", &ALL).unwrap_err();
    assert!(error.contains("there is no link h1"), "{error}");
    // Kernels before 6.2 do not give another name to one that is up.
    pair.container.ip("link set eth0 down");
    pair.container.ip("link set eth0 name other");
    assert_eq!(pair.measure(&ALL).net_traffic_control_statistics, []);
    // The thread is where it was.
    pair.host.within(|| {
        let home = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let inside = Inside { namespace: pair.container.namespace(), limited: Some("eth0") };
        statistics::fill_inside(&mut ResourceStatistics::default(), &inside, &ALL).unwrap();
        assert_eq!(std::fs::read_link("/proc/thread-self/ns/net").unwrap(), home);
        assert!(mesos_ecp::netlink::Link::named(&mut Socket::route().unwrap(), "h0").unwrap().is_some());
    });
}

mod figures {
    use super::*;
    use std::time::Instant;

    #[test]
    fn usage_takes_a_moment_however_many_connections_there_are() {
        let Some(pair) = Pair::new() else { return };
        let median = |flags: &NetworkStatistics| {
            let mut times: Vec<_> = (0..51)
                .map(|_| {
                    let begin = Instant::now();
                    pair.measure(flags);
                    begin.elapsed()
                })
                .collect();
            times.sort();
            times[25]
        };
        let counts = NetworkStatistics { network_enable_socket_statistics_details: false, ..ALL };
        let report = |what: &str| {
            let (none, counts, all) = (median(&NetworkStatistics::default()), median(&counts), median(&ALL));
            eprintln!("{what}: {none:?} without flags, {counts:?} with counts, {all:?} with round-trip times");
        };
        report("no connections");
        let _connections: Vec<_> = (0..1000).map(|_| pair.connection()).collect();
        report("1000 connections");
    }
}
