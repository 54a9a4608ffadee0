//! The host's side that all containers share: which links they are, and what is changed about them once.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use super::filters::{has_ingress, make_ingress};
use super::ranges::{Ports, common, show};
use super::registry::{Before, Locked, Setting};
use super::rules::no_ports;
use super::{filters, flows, name, sysctl};
use crate::config;
use crate::error::{Error, Result};
use crate::netlink::address::{self, Address};
use crate::netlink::route::{self, Route};
use crate::netlink::{Handle, Link, Mac, Socket, link, qdisc};

const RANGE: &str = "ipv4/ip_local_port_range";

/// The host as containers are to see it.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// To the public network.
    pub(super) eth0: Link,
    pub(super) lo: Link,
    /// Of eth0.
    pub(super) mac: Mac,
    /// The first of eth0.
    pub(super) address: Address,
    /// The default route through eth0.
    pub(super) route: Option<Route>,
}

/// What has come of a set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetUp {
    /// All is there.
    Done,
    /// Somebody had removed what the containers there are need, with their filters: they have to be attached again.
    Again,
}

fn refused<T>(why: String) -> Result<T> {
    Err(Error::Refused(why))
}

impl Host {
    /// The one of the socket's namespace.
    ///
    /// # Errors
    /// There is no such link, or it has no address of IPv4 or of Ethernet; the kernel's.
    pub(super) fn find(socket: &mut Socket, eth0: Option<&str>, lo: Option<&str>) -> Result<Host> {
        let routes = route::all(socket)?;
        let mut defaults: Vec<_> = routes.into_iter().filter(|(_, route)| route.is_default()).collect();
        defaults.sort_by_key(|(_, route)| route.metric);
        let eth0 = match (eth0, defaults.first()) {
            (Some(name), _) => named(socket, name, "--eth0_name")?,
            (None, Some((index, _))) => match Link::numbered(socket, *index)? {
                Some(link) => link,
                None => return refused("the link of the default route has just gone".into()),
            },
            (None, None) => {
                return refused(
                    "the host has no default route of IPv4: name the link to the public network by --eth0_name".into(),
                );
            }
        };
        let lo = match lo {
            Some(name) => named(socket, name, "--lo_name")?,
            None => match Link::numbered(socket, 1)?.filter(|link| link.loopback) {
                Some(link) => link,
                None => match Link::all(socket)?.into_iter().find(|link| link.loopback) {
                    Some(link) => link,
                    None => return refused("the host has no loopback link".into()),
                },
            },
        };
        let Some(mac) = eth0.mac.filter(|_| !eth0.loopback) else {
            return refused(format!(
                "{} is no link of Ethernet: name the one to the public network by --eth0_name",
                eth0.name
            ));
        };
        let mut addresses = address::all(socket)?.into_iter();
        let Some((_, address)) = addresses.find(|(link, _)| *link == eth0.index) else {
            return refused(format!("{} has no address of IPv4, which containers could share", eth0.name));
        };
        let route = defaults.iter().find(|(link, _)| *link == eth0.index).map(|(_, route)| *route);
        if route.is_some_and(|route| route.other_router) {
            return refused(format!(
                "the default route by {} has a router of another family than IPv4, which containers cannot be given: name another \
                 link by --eth0_name",
                eth0.name
            ));
        }
        Ok(Host { eth0, lo, mac, address, route })
    }

    /// Makes of the host what containers need, as far as it is not that already, after what it was is written down. With flows for
    /// containers only where it is asked for.
    ///
    /// # Errors
    /// The kernel's; two agents name different links; eth0 has a qdisc of somebody else's in the place of the flows; there are
    /// containers that the registry has lost.
    pub(super) fn set_up(&self, socket: &mut Socket, locked: &mut Locked, flows: bool) -> Result<SetUp> {
        let (eth0, lo) = (self.eth0.device(), self.lo.device());
        let there = [has_ingress(socket, eth0)?, has_ingress(socket, lo)?];
        let has_flows = !flows || flows::check(socket, &locked.registry, eth0)?;
        match &locked.registry.host {
            Some(known) if known.eth0 != eth0.name || known.lo != lo.name => {
                return refused(format!(
                    "this host's containers use {} and {}, not {} and {}: give all agents the same --eth0_name and --lo_name, or \
                     call mesos-ecp network teardown when there are no containers",
                    known.eth0, known.lo, eth0.name, lo.name
                ));
            }
            Some(_) => {}
            None => {
                refuse_lost(socket)?;
                let mut settings = Vec::new();
                for (name, _) in self.settings() {
                    if let Some(value) = sysctl::read(&name)? {
                        settings.push(Setting { name, value });
                    }
                }
                locked.registry.host = Some(Before {
                    eth0: eth0.name.to_owned(),
                    lo: lo.name.to_owned(),
                    eth0_ingress_made: !there[0],
                    lo_ingress_made: !there[1],
                    mac: self.lo.mac.map_or_else(Vec::new, |Mac(bytes)| bytes.to_vec()),
                    mtu: self.lo.mtu,
                    settings,
                    flows_made: false,
                    attach_again: false,
                });
                locked.save()?;
            }
        }
        for (name, value) in self.settings() {
            if sysctl::read(&name)?.as_deref() != Some(value) {
                sysctl::must_write(&name, value)?;
            }
        }
        if self.lo.mac != Some(self.mac) || self.lo.mtu != self.eth0.mtu || !self.lo.up {
            let change = link::Change {
                mac: Some(self.mac),
                mtu: Some(self.eth0.mtu),
                up: Some(true),
                ..link::Change::default()
            };
            socket.perform(&link::change(lo, &change))?;
        }
        let is_whole = has_flows && there == [true, true];
        let has_containers = !locked.registry.containers.is_empty();
        if let Some(before) = locked.registry.host.as_mut().filter(|before| !before.attach_again)
            && has_containers
            && !is_whole
        {
            // Before it is whole again: whoever comes after a crash is to know.
            before.attach_again = true;
            locked.save()?;
        }
        for (device, _) in [eth0, lo].into_iter().zip(there).filter(|(_, is_there)| !is_there) {
            make_ingress(socket, device)?;
        }
        // Behind it the rules on ports come; what is not for them must be there before.
        filters::add(socket, lo, &[no_ports()])?;
        if flows {
            flows::set_up(socket, locked, eth0)?;
        }
        let again = locked.registry.host.as_ref().is_some_and(|before| before.attach_again);
        Ok(if again { SetUp::Again } else { SetUp::Done })
    }

    /// So that lo takes what is to the host's own address, from whomever.
    fn settings(&self) -> Vec<(String, &'static str)> {
        let lo = &self.lo.name;
        [
            (format!("ipv4/conf/{lo}/route_localnet"), "1"),
            ("ipv4/conf/all/rp_filter".to_owned(), "0"),
            (format!("ipv4/conf/{lo}/rp_filter"), "0"),
            ("ipv4/conf/all/send_redirects".to_owned(), "0"),
            (format!("ipv4/conf/{lo}/send_redirects"), "0"),
            (format!("ipv4/conf/{lo}/accept_local"), "1"),
        ]
        .into()
    }

    /// Its address.
    pub(super) fn ip(&self) -> Ipv4Addr {
        self.address.address
    }
}

/// Without the registry nobody knows which ports are taken.
fn refuse_lost(socket: &mut Socket) -> Result<()> {
    let links = Link::all(socket)?.into_iter().map(|link| link.name);
    let lost: Vec<String> = links.filter(|name| name::is_one(name)).collect();
    if lost.is_empty() {
        return Ok(());
    }
    refused(format!(
        "the host has links of containers ({}), but the registry below /run/mesos-ecp-network that says which ports they have is gone: \
         destroy all containers with network/port_mapping first",
        lost.join(", ")
    ))
}

fn named(socket: &mut Socket, name: &str, flag: &str) -> Result<Link> {
    match Link::named(socket, name)? {
        Some(link) => Ok(link),
        None => refused(format!("the host has no link {name} ({flag})")),
    }
}

/// Makes the host what it was.
///
/// # Errors
/// The kernel's. The registry is left then, so that it can be tried again.
pub(super) fn tear_down(socket: &mut Socket, locked: Locked) -> Result<()> {
    let Some(before) = &locked.registry.host else { return locked.remove() };
    if let Some(eth0) = Link::named(socket, &before.eth0)? {
        flows::tear_down(socket, &locked.registry, eth0.device())?;
    }
    if let Some(lo) = Link::named(socket, &before.lo)? {
        filters::remove(socket, lo.device(), &[no_ports()])?;
        // The kernel does not take the address that lo has from the start; with another one it works as well.
        let mac = <[u8; 6]>::try_from(before.mac.as_slice()).ok().filter(|mac| *mac != [0; 6]).map(Mac);
        let change = link::Change { mac, mtu: Some(before.mtu), ..link::Change::default() };
        socket.perform(&link::change(lo.device(), &change))?;
        if before.lo_ingress_made {
            delete_ingress(socket, &lo)?;
        }
    }
    if before.eth0_ingress_made
        && let Some(eth0) = Link::named(socket, &before.eth0)?
    {
        delete_ingress(socket, &eth0)?;
    }
    for Setting { name, value } in &before.settings {
        sysctl::write(name, value)?;
    }
    locked.remove()
}

/// Only an empty one: somebody may have come to use it, too.
fn delete_ingress(socket: &mut Socket, link: &Link) -> Result<()> {
    let ours = has_ingress(socket, link.device())?;
    let handle = Handle::new(0xffff, 0);
    if !ours || !crate::netlink::filter::all(socket, link.device(), handle, 0)?.is_empty() {
        return Ok(());
    }
    socket.perform(&qdisc::delete(link.device(), Handle::INGRESS, handle))
}

/// Whether the host's own ports are none of the containers'.
///
/// # Errors
/// They overlap.
pub(super) fn check_ports(ephemeral: &[Ports]) -> Result<()> {
    let Some(text) = sysctl::read(RANGE)? else { return Ok(()) };
    check_against(&text, ephemeral)
}

fn check_against(text: &str, ephemeral: &[Ports]) -> Result<()> {
    let own = own_range(text);
    match common(ephemeral, own.as_slice()) {
        None => Ok(()),
        Some((range, own)) => refused(format!(
            "--ephemeral_ports has {}, and the host itself uses {} (/proc/sys/net/{RANGE}): change one of them, so that they have no \
             port in common",
            show(range),
            show(own)
        )),
    }
}

pub(super) fn own_range(text: &str) -> Option<Ports> {
    let mut words = text.split_whitespace().map(str::parse::<u16>);
    Some(words.next()?.ok()?..=words.next()?.ok()?)
}

/// Whether what a container is given as `ports` is of no other use.
///
/// # Errors
/// It overlaps with the host's own ports, or with what containers get as ephemeral ones.
pub(super) fn check_given(ports: &[Ports], flags: &config::Network) -> Result<()> {
    if let Some((ports, ephemeral)) = common(ports, flags.ephemeral_ports.ranges()) {
        return refused(format!(
            "the resource ports has {}, and --ephemeral_ports {}: offer others",
            show(ports),
            show(ephemeral)
        ));
    }
    let own = sysctl::read(RANGE)?.as_deref().and_then(own_range);
    match common(ports, own.as_slice()) {
        None => Ok(()),
        Some((ports, own)) => refused(format!(
            "the resource ports has {}, and the host itself uses {} (/proc/sys/net/{RANGE}): offer others",
            show(ports),
            show(own)
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_hosts_own_ports_are_no_containers() {
        check_against("57345\t61000\n", &[32768..=57344]).unwrap();
        let error = check_against("32768\t60999\n", &[32768..=57344]).unwrap_err().to_string();
        assert!(error.contains("32768-57344") && error.contains("32768-60999"), "{error}");
        // What cannot be read says nothing.
        check_against("x", &[1..=9]).unwrap();
    }
}
