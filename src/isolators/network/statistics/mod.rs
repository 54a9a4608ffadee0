//! What `usage` says of the network of a container that has one of its own.
//!
//! | what | whence | flag |
//! |--|--|--|
//! | packets and bytes received and sent | the host's end of the container's veth, see [`link`] | |
//! | what became of packets at the rate limit | the qdiscs of the link inside, see [`queues`] | |
//! | how many TCP connections there are | `/proc/net/sockstat`, see [`sockets`] | `--network_enable_socket_statistics_summary` |
//! | how long their round trips take | the kernel's list of sockets, see [`sockets`] | `--network_enable_socket_statistics_details` |
//! | what the kernel has counted for the container | `/proc/net/snmp`, see [`snmp`] | `--network_enable_snmp_statistics` |
#![forbid(unsafe_code)]

pub mod link;
pub mod queues;
pub mod snmp;
pub mod sockets;

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::config::NetworkStatistics;
use crate::error::{Error, Result};
use crate::netlink::diag::{Family, tcp};
use crate::netlink::{Link, Socket, qdisc};
use crate::protocol::mesos::ResourceStatistics;
use crate::sys::in_network;

/// A container's own network.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'a> {
    /// Its namespace.
    pub namespace: BorrowedFd<'a>,
    /// The name of the link there that has a rate limit. None: there is no limit, and nothing to be asked about it.
    pub limited: Option<&'a str>,
}

impl Inside<'_> {
    /// Whether there is anything that only the container's own network knows. If not nobody need open it.
    pub fn is_asked(limited: bool, flags: &NetworkStatistics) -> bool {
        limited
            || flags.network_enable_socket_statistics_summary
            || flags.network_enable_socket_statistics_details
            || flags.network_enable_snmp_statistics
    }
}

/// Whether this host can do what the flags ask for.
///
/// # Errors
/// What it cannot do, and why.
pub fn probe(flags: &NetworkStatistics) -> Result<()> {
    if !flags.network_enable_socket_statistics_details {
        return Ok(());
    }
    match tcp(&mut Socket::diag()?, Family::V4, &[]) {
        Err(e) if e.errno() == Some(libc::ENOENT) => Err(Error::Refused(
            "--network_enable_socket_statistics_details: the kernel does not list sockets: load its module tcp_diag, or \
             leave the flag out"
                .into(),
        )),
        other => other.map(drop),
    }
}

/// Fills in what the host's end of a container's link counts; `veth` is its name in the caller's network namespace.
///
/// # Errors
/// There is no such link, or the kernel's.
pub fn fill_link(statistics: &mut ResourceStatistics, veth: &str) -> Result<()> {
    let gone = || Error::Refused(format!("there is no link {veth} by which the container is connected"));
    let veth = Link::named(&mut Socket::route()?, veth)?.ok_or_else(gone)?;
    link::fill(statistics, &veth.statistics);
    Ok(())
}

/// Fills in what is measured inside. Leaves the thread in the namespace that it is called in. As long as there is a
/// descriptor of the container's namespace it can be measured, with and without processes.
///
/// # Errors
/// The kernel's. What is measured before it is filled in by then.
pub fn fill_inside(statistics: &mut ResourceStatistics, network: &Inside<'_>, flags: &NetworkStatistics) -> Result<()> {
    if let Some(limited) = network.limited {
        let mut socket = Socket::route_in(network.namespace)?;
        if let Some(link) = Link::named(&mut socket, limited)? {
            statistics.net_traffic_control_statistics = queues::statistics(&qdisc::all(&mut socket, link.device())?);
        }
    }
    if flags.network_enable_socket_statistics_summary {
        let v4 = read(network, "sockstat")?;
        sockets::fill_counts(statistics, &v4.unwrap_or_default(), read(network, "sockstat6")?.as_deref());
    }
    if flags.network_enable_socket_statistics_details {
        sockets::fill_times(statistics, &sockets::established(network.namespace)?);
    }
    if flags.network_enable_snmp_statistics {
        statistics.net_snmp_statistics = read(network, "snmp")?.map(|text| snmp::parse(&text));
    }
    Ok(())
}

/// A file of the container's /proc/net. None: this kernel does not have it.
fn read(network: &Inside<'_>, name: &'static str) -> Result<Option<String>> {
    let mut text = String::new();
    // Which network such a file is about is decided when it is opened.
    let open = in_network(network.namespace, || File::open(Path::new("/proc/thread-self/net").join(name)));
    let read = open.flatten().and_then(|mut file| file.read_to_string(&mut text));
    match read {
        Ok(_) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("read, of the container's network,", format!("/proc/net/{name}"))(e)),
    }
}
