//! A flow of its own for each container in what the host's eth0 sends: all flows have their turn, and each is told to slow down by
//! what it has waiting itself, not by what others have.
//!
//! eth0 gets fq_codel as its root qdisc, and filters whose class is the flow. The kernel takes the class's minor for the flow's number, from 1 to as many
//! flows as there are. As soon as there is one filter, a packet that none matches is dropped, and so is one whose class is no
//! flow: so the filter that matches everything comes first and goes last, and no container gets a number beyond the last flow.
#![forbid(unsafe_code)]

use super::filters::{self, is_for};
use super::registry::{Entry, Locked, Registry};
use super::rules::{FOR_ALL, FOR_ARP, FOR_ICMP, FOR_IP, ICMP, Rule, whole};
use crate::error::{Error, Result};
use crate::netlink::filter::{self, ANY, ARP, IP};
use crate::netlink::ports::PortBlock;
use crate::netlink::qdisc::{self, FqCodel, Kind, Qdisc};
use crate::netlink::{Clock, Device, Handle, Keys, Link, Socket};
use crate::step::step;
use crate::sys::in_new_network;

/// The qdisc.
const ROOT: Handle = Handle::new(1, 0);
/// As many as the kernel makes by itself.
const FLOWS: u16 = 1024;
/// The flow of the host, and of containers without one.
const HOST: u16 = 1;
/// The flow of ARP and ICMP, whoever's they are.
const SHARED: u16 = 2;
/// The first container's.
const FIRST: u16 = 3;

/// What is said where a container should have one and has none.
pub(super) const NONE_LEFT: &str =
    "all flows of --egress_unique_flow_per_container are in use: what this container sends waits in that of the host";

fn rule(priority: u16, protocol: u16, keys: Keys, flow: u16) -> Rule {
    Rule { priority, protocol, keys, class: Handle::new(ROOT.major(), flow), actions: Vec::new() }
}

/// The filters that are there whatever containers there are, in the order in which they have to be made.
fn base() -> [Rule; 3] {
    [
        rule(FOR_ALL, ANY, Keys::new().anything(), HOST),
        rule(FOR_ARP, ARP, Keys::new().anything(), SHARED),
        rule(FOR_ICMP, IP, Keys::new().protocol(ICMP), SHARED),
    ]
}

/// What is sent from these ports.
fn from_ports(flow: u16, blocks: &[PortBlock]) -> Vec<Rule> {
    blocks.iter().map(|block| rule(FOR_IP, IP, whole().source_ports(*block), flow)).collect()
}

/// The lowest number that is nobody's. None: there are no more, and the container goes without.
pub(super) fn free(known: &[Entry]) -> Option<u32> {
    (FIRST..=FLOWS).map(u32::from).find(|flow| !known.iter().any(|entry| entry.flow == Some(*flow)))
}

/// Whether there can be flows: what is known of eth0 without the registry, and of the kernel.
///
/// # Errors
/// What is in the way.
pub(super) fn probe(socket: &mut Socket, eth0: &Link) -> Result<()> {
    let there = qdisc::all(socket, eth0.device())?;
    let root = there.iter().find(|found| found.qdisc.parent == Handle::ROOT).map(|found| &found.qdisc);
    if let Some(root) = root.filter(|root| !is_default(root) && !is_ours(root)) {
        return Err(another(eth0.device(), root));
    }
    // Where it is in use the kernel has it.
    if there.iter().any(|found| matches!(found.qdisc.kind, Kind::FqCodel(_))) || has_fq_codel()? {
        return Ok(());
    }
    Err(Error::Refused(
        "--egress_unique_flow_per_container needs fq_codel, which this kernel does not have (CONFIG_NET_SCH_FQ_CODEL, the module \
         sch_fq_codel): leave the flag out"
            .into(),
    ))
}

/// Tries it where it is nobody's.
fn has_fq_codel() -> Result<bool> {
    let tried = in_new_network(|| {
        let mut socket = Socket::route()?;
        let Some(lo) = Link::numbered(&mut socket, 1)? else { return Ok(false) };
        match socket.perform(&qdisc::add(lo.device(), &own(), &Clock::USUAL)) {
            Err(e) if e.errno() == Some(libc::ENOENT) => Ok(false),
            result => result.map(|()| true),
        }
    });
    tried.map_err(Error::system("make a network namespace to try fq_codel in"))?
}

fn own() -> Qdisc {
    let settings = FqCodel { flows: Some(FLOWS.into()), ..FqCodel::default() };
    Qdisc { parent: Handle::ROOT, handle: ROOT, kind: Kind::FqCodel(settings) }
}

fn root(socket: &mut Socket, device: Device<'_>) -> Result<Option<Qdisc>> {
    let found = qdisc::all(socket, device)?.into_iter().find(|found| found.qdisc.parent == Handle::ROOT);
    Ok(found.map(|found| found.qdisc))
}

/// The kernel gives each that somebody adds a handle, and the one that it makes itself none.
fn is_default(qdisc: &Qdisc) -> bool {
    qdisc.handle == Handle::NONE
}

fn is_ours(qdisc: &Qdisc) -> bool {
    qdisc.handle == ROOT && matches!(qdisc.kind, Kind::FqCodel(_))
}

fn another(eth0: Device<'_>, root: &Qdisc) -> Error {
    Error::Refused(format!(
        "{} has the qdisc {} {} for what it sends, and --egress_unique_flow_per_container needs one of its own there: remove it (tc qdisc \
         del dev {} root), or leave the flag out",
        eth0.name,
        root.kind.name(),
        root.handle,
        eth0.name
    ))
}

fn registered(registry: &Registry) -> bool {
    registry.host.as_ref().is_some_and(|before| before.flows_made)
}

/// Whether ours is there.
///
/// # Errors
/// The kernel's; somebody else's is in its place.
pub(super) fn check(socket: &mut Socket, registry: &Registry, eth0: Device<'_>) -> Result<bool> {
    match root(socket, eth0)? {
        Some(root) if registered(registry) && is_ours(&root) => Ok(true),
        Some(root) if !is_default(&root) => Err(another(eth0, &root)),
        _ => Ok(false),
    }
}

/// Makes the qdisc and the filters that belong to no container, after it is written down that they are ours.
///
/// # Errors
/// The kernel's; as [`check`].
pub(super) fn set_up(socket: &mut Socket, locked: &mut Locked, eth0: Device<'_>) -> Result<()> {
    let there = check(socket, &locked.registry, eth0)?;
    if let Some(before) = locked.registry.host.as_mut().filter(|before| !before.flows_made) {
        before.flows_made = true;
        step("network flows register", || locked.save())?;
    }
    if !there {
        step("network flows", || socket.perform(&qdisc::add(eth0, &own(), &Clock::USUAL)))?;
    }
    filters::add(socket, eth0, &base())
}

/// Gives a container's flow what it sends from these ports, and takes from it what it sends from others of `old`. Nothing where the
/// container has no flow, or where somebody has put another qdisc in the place of ours: then nobody has one.
///
/// # Errors
/// The kernel's.
pub(super) fn change(
    socket: &mut Socket,
    registry: &Registry,
    eth0: Device<'_>,
    entry: &Entry,
    new: &[PortBlock],
    old: &[PortBlock],
) -> Result<()> {
    let Some(flow) = entry.flow.and_then(|flow| u16::try_from(flow).ok()) else { return Ok(()) };
    if !registered(registry) || !root(socket, eth0)?.is_some_and(|root| is_ours(&root)) {
        return Ok(());
    }
    let (new, mut gone) = (from_ports(flow, new), from_ports(flow, old));
    if !new.is_empty() {
        filters::add(socket, eth0, &[&base()[..], &new].concat())?;
    }
    gone.retain(|rule| !new.contains(rule));
    filters::remove(socket, eth0, &gone)
}

/// Gives eth0 back to the kernel, which puts its own qdisc in the place of ours.
///
/// # Errors
/// The kernel's; somebody uses ours, too.
pub(super) fn tear_down(socket: &mut Socket, registry: &Registry, eth0: Device<'_>) -> Result<()> {
    if !registered(registry) || !root(socket, eth0)?.is_some_and(|root| is_ours(&root)) {
        return Ok(());
    }
    let base = base();
    if filter::all(socket, eth0, ROOT, 0)?.iter().any(|found| !base.iter().any(|rule| is_for(&found.filter, rule))) {
        return Err(Error::Refused(format!(
            "somebody else has filters at {}'s qdisc {ROOT}, which is to be deleted: remove them (tc filter show dev {} parent {ROOT})",
            eth0.name, eth0.name
        )));
    }
    // With all its filters at once: without some of them packets would be dropped.
    socket.perform(&qdisc::delete(eth0, Handle::ROOT, ROOT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::isolators::network::port_mapping::rules::blocks;

    fn entry(flow: Option<u32>) -> Entry {
        Entry { flow, ..Entry::default() }
    }

    #[test]
    fn the_lowest_number_that_is_nobodys() {
        assert_eq!(free(&[]), Some(3));
        assert_eq!(free(&[entry(None), entry(Some(3)), entry(Some(5))]), Some(4));
        let mut all: Vec<Entry> = (3..=1024).map(|flow| entry(Some(flow))).collect();
        assert_eq!(free(&all), None);
        all.remove(500);
        assert_eq!(free(&all), Some(503));
    }

    #[test]
    fn what_matches_everything_comes_first_and_is_asked_last() {
        let rules = base();
        assert_eq!(
            (rules[0].protocol, rules[0].priority),
            (ANY, rules.iter().map(|rule| rule.priority).max().unwrap())
        );
        assert!([FOR_ARP, FOR_ICMP, FOR_IP, FOR_ALL].is_sorted(), "a port is not looked for in ICMP");
        let flows: Vec<u16> = rules.iter().map(|rule| rule.class.minor()).collect();
        assert_eq!(flows, [1, 2, 2]);
    }

    #[test]
    fn one_filter_for_each_block_and_all_lead_to_the_same_flow() {
        let blocks = blocks(&[31000..=31009, 33792..=34815]);
        let rules = from_ports(7, &blocks);
        assert_eq!(rules.len(), 3);
        assert!(rules.iter().all(|rule| rule.class == Handle::new(1, 7) && rule.actions.is_empty()));
        assert_eq!(rules[0].keys, whole().source_ports(blocks[0]));
    }

    #[test]
    fn only_the_kernels_own_qdisc_may_be_replaced() {
        let of = |handle, kind| Qdisc { parent: Handle::ROOT, handle, kind };
        let fq = || Kind::FqCodel(FqCodel::default());
        assert!(is_default(&of(Handle::NONE, fq())) && is_default(&of(Handle::NONE, Kind::Other("mq".into()))));
        assert!(!is_ours(&of(Handle::NONE, fq())) && is_ours(&own()) && !is_default(&own()));
        for other in [of(Handle::new(0x8001, 0), fq()), of(ROOT, Kind::Htb { default: 0 })] {
            assert!(!is_ours(&other) && !is_default(&other));
        }
    }
}
