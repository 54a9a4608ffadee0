//! The container's side: its links, addresses, routes, settings, filters and what it may send.
#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;

use super::filters;
use super::host::Host;
use super::ranges::Ports;
use super::rules::{Inside, Rule, blocks, inside_eth0_ports, inside_lo, inside_lo_ports};
use super::sysctl;
use crate::error::{Error, Result};
use crate::netlink::address::{self, Address};
use crate::netlink::class::{self, Class};
use crate::netlink::qdisc::{self, FqCodel, Kind, Qdisc};
use crate::netlink::route::{self, Route};
use crate::netlink::{Clock, Handle, Link, Socket, link};
use crate::sys::in_network;
use std::net::Ipv4Addr;

/// What it is called there.
pub(super) const ETH0: &str = "eth0";
const LO: &str = "lo";

/// Settings of the host that a new namespace does not have by itself.
const COPIED: &[&str] = &[
    "core/somaxconn",
    "core/netdev_max_backlog",
    "core/rmem_max",
    "core/wmem_max",
    "ipv4/tcp_keepalive_time",
    "ipv4/tcp_keepalive_intvl",
    "ipv4/tcp_keepalive_probes",
    "ipv4/tcp_max_syn_backlog",
    "ipv4/tcp_rmem",
    "ipv4/tcp_wmem",
    "ipv4/tcp_retries2",
    "ipv4/tcp_synack_retries",
    "ipv4/neigh/default/gc_thresh1",
    "ipv4/neigh/default/gc_thresh2",
    "ipv4/neigh/default/gc_thresh3",
];

/// Who gives what comes to 127.0.0.1 by eth0 is this host; who answers ARP is the host alone, which has the same address.
const OWN: &[(&str, &str)] = &[
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/lo/rp_filter", "0"),
    ("ipv4/conf/eth0/rp_filter", "0"),
    ("ipv4/conf/lo/accept_local", "1"),
    ("ipv4/conf/eth0/accept_local", "1"),
    ("ipv4/conf/lo/route_localnet", "1"),
    ("ipv4/conf/eth0/route_localnet", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/lo/send_redirects", "0"),
    ("ipv4/conf/eth0/send_redirects", "0"),
    ("ipv4/conf/eth0/arp_ignore", "8"),
];

/// There is no way to share an address of IPv6 yet. A kernel without IPv6 has none of these.
const NO_IPV6: &[&str] = &["all", "default", "lo", "eth0"];

/// What a container is given.
pub(super) struct Given<'a> {
    pub(super) ephemeral: &'a Ports,
    /// The ephemeral ones, too.
    pub(super) ports: &'a [Ports],
    /// Bytes per second.
    pub(super) rate: Option<u64>,
}

/// Sets up a namespace that has an eth0, and nothing else that was ever changed. Returns what is to be said, if anything is.
///
/// # Errors
/// The kernel's.
pub(super) fn set_up(namespace: BorrowedFd<'_>, host: &Host, given: &Given<'_>) -> Result<Option<&'static str>> {
    let mut copied = Vec::with_capacity(COPIED.len());
    for name in COPIED {
        if let Some(value) = sysctl::read(name)? {
            copied.push((*name, value));
        }
    }
    let mut socket = within(namespace, || -> Result<Socket> {
        for (name, value) in OWN {
            sysctl::must_write(name, value)?;
        }
        let range = format!("{} {}", given.ephemeral.start(), given.ephemeral.end());
        sysctl::must_write("ipv4/ip_local_port_range", &range)?;
        for link in NO_IPV6 {
            sysctl::write(&format!("ipv6/conf/{link}/disable_ipv6"), "1")?;
        }
        for (name, value) in copied {
            // Some are the host's alone.
            if sysctl::read(name)?.is_some_and(|own| own != value) {
                sysctl::write(name, &value)?;
            }
        }
        Socket::route()
    })??;
    let (lo, eth0) = links(&mut socket)?;
    let up = link::Change { up: Some(true), ..link::Change::default() };
    let same = link::Change { mac: Some(host.mac), mtu: Some(host.eth0.mtu), ..up };
    let localhost = Address { address: Ipv4Addr::LOCALHOST, prefix: 8, broadcast: None };
    let mut requests = vec![
        link::change(lo.device(), &same),
        link::change(eth0.device(), &up),
        address::add(eth0.device(), &host.address),
        qdisc::add(lo.device(), &Qdisc::ingress(), &Clock::USUAL),
        qdisc::add(eth0.device(), &Qdisc::ingress(), &Clock::USUAL),
    ];
    requests.extend(host.route.map(|route| route::add(eth0.device(), &reachable(route, &host.address))));
    socket.perform_all(&requests)?;
    // The kernel gives it to lo when that is set up.
    match socket.perform(&address::add(lo.device(), &localhost)) {
        Err(e) if e.errno() == Some(libc::EEXIST) => {}
        result => result?,
    }
    let inside = Inside { address: host.ip(), eth0: eth0.index, lo: lo.index };
    let ports = on_ports(&inside, given.ports);
    filters::add_first(&mut socket, lo.device(), &[inside_lo(&inside), ports.lo].concat())?;
    filters::add_first(&mut socket, eth0.device(), &ports.eth0)?;
    given.rate.map_or(Ok(None), |rate| limit(&mut socket, &eth0, rate))
}

/// A router outside of the address's own network is reached all the same, as the host does it.
fn reachable(route: Route, address: &Address) -> Route {
    let mask = u32::MAX.checked_shl(32 - u32::from(address.prefix)).unwrap_or(0);
    let outside = |gateway: Ipv4Addr| (gateway.to_bits() ^ address.address.to_bits()) & mask != 0;
    Route { onlink: route.onlink || route.gateway.is_some_and(outside), ..route }
}

/// Filters on a container's ports, on both of its links.
struct OnPorts {
    lo: Vec<Rule>,
    eth0: Vec<Rule>,
}

fn on_ports(inside: &Inside, ports: &[Ports]) -> OnPorts {
    let blocks = blocks(ports);
    OnPorts { lo: inside_lo_ports(&blocks), eth0: inside_eth0_ports(inside, &blocks) }
}

/// Gives a container ports, and takes others away, given as all that it is to have and all that it had.
///
/// # Errors
/// The kernel's; the container has done something to its links.
pub(super) fn change(namespace: BorrowedFd<'_>, address: Ipv4Addr, new: &[Ports], old: &[Ports]) -> Result<()> {
    let mut socket = Socket::route_in(namespace)?;
    let (lo, eth0) = links(&mut socket)?;
    let inside = Inside { address, eth0: eth0.index, lo: lo.index };
    let (new, old) = (on_ports(&inside, new), on_ports(&inside, old));
    for (link, new, old) in [(&lo, new.lo, old.lo), (&eth0, new.eth0, old.eth0)] {
        filters::add(&mut socket, link.device(), &new)?;
        let gone: Vec<Rule> = old.into_iter().filter(|rule| !new.contains(rule)).collect();
        filters::remove(&mut socket, link.device(), &gone)?;
    }
    Ok(())
}

fn links(socket: &mut Socket) -> Result<(Link, Link)> {
    let mut find = |name: &str| {
        let missing = || Error::Refused(format!("the container has no link {name} any more"));
        Link::named(socket, name)?.ok_or_else(missing)
    };
    Ok((find(LO)?, find(ETH0)?))
}

/// How much it may send: bytes per second.
fn limit(socket: &mut Socket, eth0: &Link, rate: u64) -> Result<Option<&'static str>> {
    let clock = Clock::read()?;
    let (htb, class) = (Handle::new(1, 0), Handle::new(1, 1));
    let root = Qdisc { parent: Handle::ROOT, handle: htb, kind: Kind::Htb { default: 1 } };
    socket.perform(&qdisc::add(eth0.device(), &root, &clock))?;
    let burst = burst(rate);
    let limited = Class { burst, ceil_burst: burst, ..Class::limited(htb, class, rate) };
    socket.perform(&class::add(eth0.device(), &limited, &clock))?;
    let few = link::Change { most_at_once: at_once(rate, eth0.mtu), ..link::Change::default() };
    if few.most_at_once.is_some() {
        socket.perform(&link::change(eth0.device(), &few))?;
    }
    let below = |kind| Qdisc { parent: class, handle: Handle::NONE, kind };
    match socket.perform(&qdisc::add(eth0.device(), &below(Kind::FqCodel(FqCodel::default())), &clock)) {
        Err(e) if e.errno() == Some(libc::ENOENT) => {
            socket.perform(&qdisc::add(eth0.device(), &below(Kind::Pfifo { limit: None }), &clock))?;
            Ok(Some("this kernel has no fq_codel: what waits for its turn under the egress limit waits in one queue"))
        }
        result => result.map(|()| None),
    }
}

/// How many packets may be sent as one, which the limit lets pass at its beginning: none that takes more than a tenth of a second.
/// None: as many as the kernel will ever take.
fn at_once(rate: u64, mtu: u32) -> Option<u32> {
    const MOST: u64 = 64;
    let count = (rate / 10 / u64::from(mtu.max(1))).max(1);
    (count < MOST).then_some(count as u32)
}

/// What may be sent at once after a pause, in bytes: no more than in a tenth of a second. None: what is usual, a packet or more.
fn burst(rate: u64) -> Option<u32> {
    const USUAL: u64 = 1600;
    (rate / 10 < USUAL).then_some((rate / 10).max(1) as u32)
}

fn within<T>(namespace: BorrowedFd<'_>, what: impl FnOnce() -> T) -> Result<T> {
    in_network(namespace, what).map_err(Error::system("enter the container's network namespace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_senders_send_one_by_one() {
        assert_eq!(
            [2000, 15_000, 150_000, 37_500_000].map(|rate| at_once(rate, 1500)),
            [Some(1), Some(1), Some(10), None]
        );
        assert_eq!(at_once(u64::MAX, 0), None);
        assert_eq!([1, 2000, 16_000].map(burst), [Some(1), Some(200), None]);
    }
}
