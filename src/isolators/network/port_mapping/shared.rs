//! What is done under the host's lock: ranges given and taken back, and the filters on links that all containers share.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::host::Host;
use super::mirrors::free_place;
use super::ranges::{self, Ports, common, show};
use super::registry::{Entry, Locked, Range};
use super::rules::{Ends, Rule, blocks, on_eth0, on_lo};
use super::{filters, flows};
use crate::config;
use crate::error::{Error, Result};
use crate::netlink::ports::PortBlock;
use crate::netlink::{Link, Mac, Socket, link};
use crate::step::step;
use crate::weaken;

/// How often it is looked again which links there are, when one goes meanwhile: namespaces of ended containers take theirs with them.
const LOOKS: u32 = 20;

/// How long a container may be without a link, in seconds: so long a launch may take from the registry on.
const GRACE: u64 = 60;

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
) -> Result<Entry> {
    if let Some(entry) = locked.registry.of(request.container, request.state).cloned() {
        release(socket, locked, &entry)?;
    }
    forget_dead(socket, locked);
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
    let entry = Entry {
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
        eth0: host.eth0.name.clone(),
        lo: host.lo.name.clone(),
        since: now(),
    };
    locked.registry.containers.push(entry.clone());
    locked.save()?;
    Ok(entry)
}

/// Whether no other container has one of these ports.
///
/// # Errors
/// Which one has.
pub(super) fn check_others(known: &[Entry], container: &str, state: &str, ports: &[Ports]) -> Result<()> {
    for entry in known.iter().filter(|entry| entry.container != container || entry.state != state) {
        if let Some((wanted, _)) = common(ports, &entry.all_ports()) {
            return Err(Error::Refused(format!(
                "container {} has some of the ports [{}] already",
                entry.container,
                show(wanted)
            )));
        }
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Undoes what is left of containers whose state is gone. One that still has its link is left alone: its state may be where we
/// cannot see it. So is one whose remains resist: they are nobody's fault who launches another, and its ports stay taken.
pub(super) fn forget_dead(socket: &mut Socket, locked: &mut Locked) {
    let now = now();
    let had_link = |entry: &Entry| entry.pid.is_some() || entry.since.abs_diff(now) > GRACE;
    let may_be = |entry: &&Entry| had_link(entry) && !Path::new(&entry.state).exists();
    let candidates: Vec<Entry> = locked.registry.containers.iter().filter(may_be).cloned().collect();
    for entry in candidates {
        if Link::named(socket, &entry.link).is_ok_and(|link| link.is_none()) {
            let _ = release(socket, locked, &entry);
        }
    }
}

/// The links of this host that a container has to do with. None: it is gone.
pub(super) struct Links {
    pub(super) eth0: Option<Link>,
    pub(super) lo: Option<Link>,
    pub(super) veth: Option<Link>,
}

impl Links {
    pub(super) fn of(socket: &mut Socket, entry: &Entry) -> Result<Links> {
        Ok(Links {
            eth0: Link::named(socket, &entry.eth0)?,
            lo: Link::named(socket, &entry.lo)?,
            veth: Link::named(socket, &entry.link)?.filter(|link| link.kind.as_deref() == Some("veth")),
        })
    }

    /// As the rules of a container want to know them.
    pub(super) fn ends(&self, entry: &Entry) -> Ends {
        let (address, mac) = entry.addresses();
        let index = |link: &Option<Link>| link.as_ref().map_or(0, |link| link.index);
        Ends { address, mac, eth0: index(&self.eth0), lo: index(&self.lo), veth: index(&self.veth) }
    }
}

/// Adds what the host's links are to give to a container, and takes from them what they gave it by rules on `old` ports.
///
/// # Errors
/// The kernel's; a link is gone.
pub(super) fn attach(socket: &mut Socket, locked: &Locked, entry: &Entry, new: &[Ports], old: &[Ports]) -> Result<()> {
    let links = Links::of(socket, entry)?;
    let ends = links.ends(entry);
    let (Some(eth0), Some(lo), Some(_)) = (links.eth0, links.lo, links.veth) else {
        return Err(Error::Refused(format!("the link {}, or one of the host's own, has gone", entry.link)));
    };
    let (new, old) = (blocks(new), blocks(old));
    flows::change(socket, &locked.registry, eth0.device(), entry, &new, &old)?;
    for (link, new, old) in
        [(&eth0, on_eth0(&ends, &new), on_eth0(&ends, &old)), (&lo, on_lo(&ends, &new), on_lo(&ends, &old))]
    {
        filters::add(socket, link.device(), &new)?;
        let gone: Vec<Rule> = old.into_iter().filter(|rule| !new.contains(rule)).collect();
        filters::remove(socket, link.device(), &gone)?;
    }
    share(socket, locked, &eth0)
}

/// Attaches all containers anew whose links are there, after what the host's links gave them was removed by somebody else.
///
/// # Errors
/// The first of them; all are tried, and will be again.
pub(super) fn attach_all(socket: &mut Socket, locked: &mut Locked) -> Result<()> {
    let mut results = Vec::new();
    for entry in &locked.registry.containers {
        if Link::named(socket, &entry.link)?.is_some() {
            results.push(attach(socket, locked, entry, &entry.all_ports(), &[]));
        }
    }
    results.into_iter().collect::<Result<()>>()?;
    if let Some(before) = &mut locked.registry.host {
        before.attach_again = false;
    }
    locked.save()
}

/// Takes these ports from the host's links, whether the container's own link is there or not.
///
/// # Errors
/// The first of them; all is tried.
pub(super) fn detach(
    socket: &mut Socket,
    locked: &Locked,
    links: &Links,
    entry: &Entry,
    blocks: &[PortBlock],
) -> Result<()> {
    let ends = links.ends(entry);
    let mut results = Vec::new();
    for (link, rules) in [(&links.eth0, on_eth0(&ends, blocks)), (&links.lo, on_lo(&ends, blocks))] {
        if let Some(link) = link {
            let remove = || if weaken::is("filters") { Ok(()) } else { filters::remove(socket, link.device(), &rules) };
            results.push(step("network detach", remove));
        }
    }
    if let Some(eth0) = links.eth0.as_ref().filter(|_| entry.flow.is_some()) {
        let remove = || flows::change(socket, &locked.registry, eth0.device(), entry, &[], blocks);
        results.push(step("network flow", remove));
    }
    results.into_iter().collect()
}

/// Undoes all that a container has on the host, and forgets it. First what leads to it, then itself.
///
/// # Errors
/// The first of them; all is tried, and it is forgotten only when all is undone.
pub(super) fn release(socket: &mut Socket, locked: &mut Locked, entry: &Entry) -> Result<()> {
    let links = Links::of(socket, entry)?;
    let mut results = vec![detach(socket, locked, &links, entry, &blocks(&entry.all_ports()))];
    let all = locked.registry.containers.clone();
    locked.registry.containers.retain(|other| other != entry);
    // Where somebody has removed the qdisc there is nothing left to be shared.
    if let Some(eth0) = &links.eth0
        && filters::has_ingress(socket, eth0.device()).unwrap_or(true)
    {
        results.push(share(socket, locked, eth0));
    }
    if let Some(veth) = &links.veth {
        results.push(match step("network unlink", || socket.perform(&link::delete(veth.device()))) {
            Err(e) if e.errno() == Some(libc::ENODEV) => Ok(()),
            result => result,
        });
    }
    // Its process's number may be another's by now.
    let is_others = locked.registry.containers.iter().any(|other| other.pid == entry.pid);
    results.extend(entry.handles().filter(|_| !is_others).map(|handles| step("network unname", || handles.remove())));
    let result: Result<()> = results.into_iter().collect();
    match result {
        // A registry that was lost has nothing to forget.
        Ok(()) if all.len() == locked.registry.containers.len() => Ok(()),
        Ok(()) => step("network forget", || locked.save()),
        Err(e) => {
            locked.registry.containers = all;
            Err(e)
        }
    }
}

/// Brings the filters that all containers share in line with the registry and the links that there are. Without a registry they
/// are left as they are: containers that it has lost may need them.
fn share(socket: &mut Socket, locked: &Locked, eth0: &Link) -> Result<()> {
    if locked.registry.host.is_none() {
        return Ok(());
    }
    for look in 0.. {
        let links = Link::all(socket)?;
        let of =
            |entry: &Entry| links.iter().find(|link| link.name == entry.link && link.kind.as_deref() == Some("veth"));
        let containers = &locked.registry.containers;
        let members: Vec<(u32, u32)> =
            containers.iter().filter_map(|entry| of(entry).map(|link| (entry.place, link.index))).collect();
        match filters::share(socket, eth0.device(), &members) {
            Err(e) if look < LOOKS && matches!(e.errno(), Some(libc::ENODEV | libc::EINVAL)) => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            result => return result,
        }
    }
    Ok(())
}
