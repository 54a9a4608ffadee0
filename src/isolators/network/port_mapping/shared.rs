//! What is done under the host's lock: ranges given and taken back, and the filters on links that all containers share.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::path::Path;

use super::host::Host;
use super::inside::list;
use super::mirrors::free_place;
use super::ranges::{self, Ports, common};
use super::registry::{Entry, Locked, Range};
use super::rules::{Ends, Rule, blocks, on_eth0, on_lo};
use super::{filters, flows};
use crate::config;
use crate::error::{Error, Result};
use crate::netlink::{Link, Mac, Socket, link};
use crate::step::step;

/// How often it is looked again which links there are, when one goes meanwhile: namespaces of ended containers take theirs with them.
const LOOKS: u32 = 20;

/// Who wants ports.
pub(super) struct Request<'a> {
    pub(super) container: &'a str,
    pub(super) state: &'a str,
    pub(super) link: &'a str,
    pub(super) ports: &'a [Ports],
}

/// Writes a container down, with a range of ephemeral ports, a place and perhaps a flow that are nobody else's.
///
/// # Errors
/// There is no range left; its ports, or the name of its link, are another's.
pub(super) fn register(
    socket: &mut Socket,
    locked: &mut Locked,
    host: &Host,
    request: &Request<'_>,
    flags: &config::Network,
) -> Result<Ports> {
    if let Some(entry) = locked.registry.of(request.container, request.state).cloned() {
        release(socket, locked, &entry)?;
    }
    forget_dead(socket, locked)?;
    let known = &locked.registry.containers;
    if let Some(other) = known.iter().find(|entry| entry.link == request.link) {
        return Err(Error::Refused(format!(
            "container {} has the link {} on this host, which would be this container's, too",
            other.container, other.link
        )));
    }
    if Link::named(socket, request.link)?.is_some() {
        return Err(Error::Refused(format!("the host has a link {} that is no container's of ours", request.link)));
    }
    check_others(known, request.container, request.state, request.ports)?;
    let taken: Vec<Ports> = known.iter().flat_map(Entry::all_ports).collect();
    let (all, size) = (flags.ephemeral_ports.ranges(), flags.ephemeral_ports_per_container);
    let Some(ephemeral) = ranges::first_free(all, size, &taken) else {
        return Err(Error::Refused(format!(
            "no ephemeral ports are left: {} containers of this host have some, and {} hold those of {} at most ({size} each); \
             widen --ephemeral_ports, lessen --ephemeral_ports_per_container, or end containers",
            known.len(),
            flags.ephemeral_ports,
            ranges::capacity(all, size)
        )));
    };
    let places: Vec<u32> = known.iter().map(|entry| entry.place).collect();
    let flow = if flags.egress_unique_flow_per_container { flows::free(known) } else { None };
    let Mac(mac) = host.mac;
    locked.registry.containers.push(Entry {
        container: request.container.to_owned(),
        state: request.state.to_owned(),
        link: request.link.to_owned(),
        place: free_place(&places),
        ephemeral: Range::new(&ephemeral),
        ports: request.ports.iter().map(Range::new).collect(),
        address: host.ip().to_bits(),
        mac: mac.to_vec(),
        flow,
        pid: None,
    });
    locked.save()?;
    Ok(ephemeral)
}

/// Whether no other container has one of these ports.
///
/// # Errors
/// Which one has.
pub(super) fn check_others(known: &[Entry], container: &str, state: &str, ports: &[Ports]) -> Result<()> {
    for entry in known.iter().filter(|entry| entry.container != container || entry.state != state) {
        if let Some((wanted, _)) = common(ports, &entry.all_ports()) {
            return Err(Error::Refused(format!(
                "container {} has some of the ports {} already",
                entry.container,
                list(std::slice::from_ref(wanted))
            )));
        }
    }
    Ok(())
}

/// Undoes what is left of containers whose state is gone. One that still has its link is left alone: its state may be where we
/// cannot see it.
///
/// # Errors
/// The kernel's.
pub(super) fn forget_dead(socket: &mut Socket, locked: &mut Locked) -> Result<()> {
    let mut dead = Vec::new();
    for entry in &locked.registry.containers {
        if !Path::new(&entry.state).exists() && Link::named(socket, &entry.link)?.is_none() {
            dead.push(entry.clone());
        }
    }
    dead.iter().try_for_each(|entry| release(socket, locked, entry))
}

/// The links of this host, as the rules of a container want to know them. 0 for one that is gone.
fn ends(socket: &mut Socket, locked: &Locked, entry: &Entry) -> Result<(Ends, [Option<Link>; 3])> {
    let (address, mac) = entry.addresses();
    let (eth0, lo) = match &locked.registry.host {
        Some(host) => (Link::named(socket, &host.eth0)?, Link::named(socket, &host.lo)?),
        None => (None, None),
    };
    let veth = Link::named(socket, &entry.link)?.filter(|link| link.kind.as_deref() == Some("veth"));
    let index = |link: &Option<Link>| link.as_ref().map_or(0, |link| link.index);
    Ok((Ends { address, mac, eth0: index(&eth0), lo: index(&lo), veth: index(&veth) }, [eth0, lo, veth]))
}

/// Adds what the host's links are to give to a container, and takes from them what they gave it by rules on `old` ports.
///
/// # Errors
/// The kernel's; a link is gone.
pub(super) fn attach(socket: &mut Socket, locked: &Locked, entry: &Entry, new: &[Ports], old: &[Ports]) -> Result<()> {
    let (ends, [eth0, lo, veth]) = ends(socket, locked, entry)?;
    let (Some(eth0), Some(lo), Some(_)) = (eth0, lo, veth) else {
        return Err(Error::Refused(format!("the link {}, or one of the host's own, has gone", entry.link)));
    };
    let (new, old) = (blocks(new), blocks(old));
    flows::change(socket, &locked.registry, eth0.device(), entry, &new, &old)?;
    for (link, new, old) in
        [(&eth0, on_eth0(&ends, &new), on_eth0(&ends, &old)), (&lo, on_lo(&ends, &new), on_lo(&ends, &old))]
    {
        filters::add(socket, link.device(), &new)?;
        let gone: Vec<Rule> = old.into_iter().filter(|rule| !new.contains(rule)).collect();
        if !gone.is_empty() {
            filters::remove(socket, link.device(), &gone)?;
        }
    }
    share(socket, locked, &eth0, ends.address)
}

/// Undoes all that a container has on the host, and forgets it. First what leads to it, then itself.
///
/// # Errors
/// The first of them; all is tried, and it is forgotten only when all is undone.
pub(super) fn release(socket: &mut Socket, locked: &mut Locked, entry: &Entry) -> Result<()> {
    let (ends, [eth0, lo, veth]) = ends(socket, locked, entry)?;
    let blocks = blocks(&entry.all_ports());
    let mut results = Vec::new();
    for (link, rules) in [(&eth0, on_eth0(&ends, &blocks)), (&lo, on_lo(&ends, &blocks))] {
        if let Some(link) = link {
            results.push(step("network detach", || filters::remove(socket, link.device(), &rules)));
        }
    }
    if let Some(eth0) = eth0.as_ref().filter(|_| entry.flow.is_some()) {
        let remove = || flows::change(socket, &locked.registry, eth0.device(), entry, &[], &blocks);
        results.push(step("network flow", remove));
    }
    let all = locked.registry.containers.clone();
    locked.registry.containers.retain(|other| other != entry);
    if let Some(eth0) = &eth0 {
        results.push(share(socket, locked, eth0, ends.address));
    }
    if let Some(veth) = &veth {
        results.push(match step("network unlink", || socket.perform(&link::delete(veth.device()))) {
            Err(e) if e.errno() == Some(libc::ENODEV) => Ok(()),
            result => result,
        });
    }
    results.extend(entry.handles().map(|handles| step("network unname", || handles.remove())));
    let result: Result<()> = results.into_iter().collect();
    match result {
        Ok(()) => step("network forget", || locked.save()),
        Err(e) => {
            locked.registry.containers = all;
            Err(e)
        }
    }
}

/// Brings the filters that all containers share in line with the registry and the links that there are. `own`: the address that
/// they ask for where no container is left.
fn share(socket: &mut Socket, locked: &Locked, eth0: &Link, own: Ipv4Addr) -> Result<()> {
    let mut addresses: Vec<Ipv4Addr> = locked.registry.containers.iter().map(|entry| entry.addresses().0).collect();
    // The latest has the host's present one.
    let address = addresses.last().copied().unwrap_or(own);
    addresses.push(own);
    addresses.sort_unstable();
    addresses.dedup();
    for look in 0.. {
        let links = Link::all(socket)?;
        let of =
            |entry: &Entry| links.iter().find(|link| link.name == entry.link && link.kind.as_deref() == Some("veth"));
        let containers = &locked.registry.containers;
        let members: Vec<(u32, u32)> =
            containers.iter().filter_map(|entry| of(entry).map(|link| (entry.place, link.index))).collect();
        match filters::share(socket, eth0.device(), address, &addresses, &members) {
            Err(e) if look < LOOKS && matches!(e.errno(), Some(libc::ENODEV | libc::EINVAL)) => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            result => return result,
        }
    }
    Ok(())
}
