//! The pair of links by which a container is connected to the host.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::AsFd;

use super::host::Host;
use super::inside::ETH0;
use super::ranges::Ports;
use super::rules::{Ends, blocks, from_container, from_ports};
use super::{filters, sysctl};
use crate::error::{Error, Result};
use crate::netlink::{Device, Link, Socket, link, veth};

/// Makes the pair of links, and lets the container send; nothing comes to it yet. Inside, it is not set up.
///
/// # Errors
/// The kernel's.
pub(super) fn connect(socket: &mut Socket, host: &Host, link: &str, namespace: &File, ports: &[Ports]) -> Result<()> {
    let end = |name| veth::End { name, mac: Some(host.mac), mtu: Some(host.eth0.mtu) };
    socket.perform(&veth::create(&end(link), &end(ETH0), Some(namespace.as_fd())))?;
    let made = Link::named(socket, link)?.ok_or_else(|| Error::Refused(format!("the link {link} has just gone")))?;
    // What no filter takes is for nobody, also not for the host itself, whatever sender it names: no route leads back by this link.
    sysctl::must_write(&format!("ipv4/conf/{link}/rp_filter"), "1")?;
    sysctl::must_write(&format!("ipv4/conf/{link}/forwarding"), "0")?;
    sysctl::write(&format!("ipv6/conf/{link}/disable_ipv6"), "1")?;
    filters::make_ingress(socket, made.device())?;
    let ends = Ends { address: host.ip(), mac: host.mac, eth0: host.eth0.index, lo: host.lo.index, veth: made.index };
    filters::add_first(socket, made.device(), &[from_container(&ends), from_ports(&ends, &blocks(ports))].concat())?;
    let up = link::Change { up: Some(true), ..link::Change::default() };
    socket.perform(&link::change(Device { index: made.index, name: link }, &up))
}
