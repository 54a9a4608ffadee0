//! Rules as filters of the kernel: added, removed and compared with what is there.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::mirrors::shared;
use super::rules::{FOR_ARP, FOR_ICMP, INGRESS, Rule};
use crate::error::{Error, Result};
use crate::netlink::action::Action;
use crate::netlink::filter::{self, ARP, Filter, IP, Name};
use crate::netlink::qdisc::{self, Qdisc};
use crate::netlink::{Clock, Device, Handle, Request, Socket};

/// The highest number of a filter in its priority.
const LAST: u16 = 0xfff;
/// How a redirect reads whose link is gone.
const GONE_LINK: [Action; 1] = [Action::Redirect { link: 0 }];
/// What the kernel answers about a filter that is gone, or whose qdisc is.
const GONE: [i32; 2] = [libc::ENOENT, libc::EINVAL];

fn parent(rule: &Rule) -> Handle {
    Handle::new(rule.class.major(), 0)
}

fn name(rule: &Rule, table: u16, node: u16) -> Name {
    Name { parent: parent(rule), priority: rule.priority, protocol: rule.protocol, table, node }
}

fn filter(rule: &Rule, name: Name) -> Filter {
    Filter { name, keys: rule.keys.clone(), class: Some(rule.class), actions: rule.actions.clone() }
}

/// Makes the qdisc for what a link receives, if there is none.
///
/// # Errors
/// The kernel's; another qdisc is in its place.
pub(super) fn make_ingress(socket: &mut Socket, device: Device<'_>) -> Result<()> {
    if has_ingress(socket, device)? {
        return Ok(());
    }
    socket.perform(&qdisc::add(device, &Qdisc::ingress(), &Clock::USUAL))
}

/// Whether there is one already.
///
/// # Errors
/// The kernel's; another qdisc is in its place.
pub(super) fn has_ingress(socket: &mut Socket, device: Device<'_>) -> Result<bool> {
    let found = qdisc::all(socket, device)?.into_iter().find(|found| found.qdisc.parent == Handle::INGRESS);
    match found {
        None => Ok(false),
        Some(found) if found.qdisc.kind == qdisc::Kind::Ingress => Ok(true),
        Some(found) => Err(Error::Refused(format!(
            "{} has the qdisc {} for what it receives, and network/port_mapping needs ingress there: remove it",
            device.name,
            found.qdisc.kind.name()
        ))),
    }
}

/// Adds rules to a link that has none yet.
///
/// # Errors
/// The kernel's.
pub(super) fn add_first(socket: &mut Socket, device: Device<'_>, rules: &[Rule]) -> Result<()> {
    let mut next: BTreeMap<u16, u16> = BTreeMap::new();
    let mut requests = Vec::with_capacity(rules.len());
    for rule in rules {
        let node = next.entry(rule.priority).or_insert(0);
        *node += 1;
        if *node > LAST {
            return Err(too_many(device));
        }
        requests.push(filter::add(device, &filter(rule, name(rule, 0, *node))));
    }
    socket.perform_all(&requests)
}

/// Adds those rules that are not there, in this order; all have the same parent. Under the host's lock where others have filters on the link, too.
///
/// # Errors
/// The kernel's; a priority is full.
pub(super) fn add(socket: &mut Socket, device: Device<'_>, rules: &[Rule]) -> Result<()> {
    let Some(first) = rules.first() else { return Ok(()) };
    let there = filter::all(socket, device, parent(first), 0)?;
    let mut taken: BTreeSet<(u16, u16)> =
        there.iter().map(|found| (found.filter.name.priority, found.filter.name.node)).collect();
    let is_there = |rule: &&Rule| {
        let same = |found: &filter::Found| is_for(&found.filter, rule) && found.filter.actions == rule.actions;
        there.iter().any(same)
    };
    // What leads to a link that is gone swallows packets, and is in front of what is added: some other container's, which could not
    // be undone.
    let is_dead = |found: &&filter::Found| {
        found.filter.actions == GONE_LINK
            && rules.iter().any(|rule| is_for(&found.filter, rule) && !rule.actions.is_empty())
    };
    let mut requests: Vec<Request<'_>> =
        there.iter().filter(is_dead).map(|found| filter::delete(device, found.filter.name)).collect();
    perform_unless_gone(socket, &requests)?;
    requests.clear();
    let mut next: BTreeMap<u16, u16> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| !is_there(rule)) {
        let from = next.get(&rule.priority).copied().unwrap_or(1);
        let node =
            (from..=LAST).find(|node| !taken.contains(&(rule.priority, *node))).ok_or_else(|| too_many(device))?;
        taken.insert((rule.priority, node));
        next.insert(rule.priority, node + 1);
        requests.push(filter::add(device, &filter(rule, name(rule, 0, node))));
    }
    socket.perform_all(&requests)
}

/// Deletes those of the rules that are there, each by its exact name, and priorities that are empty then; all have the same parent. One that leads to a
/// link that is gone is taken for its rule.
///
/// # Errors
/// The kernel's; the others are deleted all the same.
pub(super) fn remove(socket: &mut Socket, device: Device<'_>, rules: &[Rule]) -> Result<()> {
    let Some(first) = rules.first() else { return Ok(()) };
    let parent = parent(first);
    let mut there = filter::all(socket, device, parent, 0)?;
    let is_ours = |found: &filter::Found| {
        let same = |rule: &Rule| {
            let actions = &found.filter.actions;
            is_for(&found.filter, rule)
                && (*actions == rule.actions || (!rule.actions.is_empty() && *actions == GONE_LINK))
        };
        rules.iter().any(same)
    };
    let names: Vec<Name> = there.iter().filter(|found| is_ours(found)).map(|found| found.filter.name).collect();
    let deleted =
        perform_unless_gone(socket, &names.iter().map(|name| filter::delete(device, *name)).collect::<Vec<_>>());
    there.retain(|found| !names.contains(&found.filter.name));
    // Those of all the rules: who was killed after the last filter has left one.
    let of_rules: BTreeSet<(u16, u16)> = rules.iter().map(|rule| (rule.priority, rule.protocol)).collect();
    let is_empty = |priority: u16| !there.iter().any(|found| found.filter.name.priority == priority);
    let empty = of_rules.into_iter().filter(|(priority, _)| is_empty(*priority));
    let requests: Vec<Request<'_>> =
        empty.map(|(priority, protocol)| filter::delete_priority(device, parent, priority, protocol)).collect();
    deleted.and_then(|()| perform_unless_gone(socket, &requests))
}

/// Makes the shared filters of eth0 what they are to be for these containers, given by place and link. Each is changed in place:
/// no packet of anybody is missed meanwhile. Under the host's lock.
///
/// # Errors
/// The kernel's: ENODEV if one of the links has gone meanwhile.
pub(super) fn share(socket: &mut Socket, eth0: Device<'_>, members: &[(u32, u32)]) -> Result<()> {
    let wanted = shared(members);
    for (priority, protocol) in [(FOR_ARP, ARP), (FOR_ICMP, IP)] {
        let there = filter::all(socket, eth0, INGRESS, priority)?;
        let (mut requests, mut deletions): (Vec<Request<'_>>, Vec<Request<'_>>) = Default::default();
        let mut ours: BTreeSet<u16> = BTreeSet::new();
        for found in &there {
            let node = found.filter.name.node;
            match wanted.get(&(priority, node)) {
                Some(rule) if is_for(&found.filter, rule) => {
                    ours.insert(node);
                    if found.filter.actions != rule.actions {
                        requests.push(filter::replace(eth0, &filter(rule, found.filter.name)));
                    }
                }
                Some(_) => {}
                None => {
                    if is_shared(&found.filter) {
                        ours.insert(node);
                        deletions.push(filter::delete(eth0, found.filter.name));
                    }
                }
            }
        }
        let missing = wanted.iter().filter(|((of, node), _)| *of == priority && !ours.contains(node));
        requests.extend(missing.map(|((_, node), rule)| filter::add(eth0, &filter(rule, name(rule, 0, *node)))));
        socket.perform_all(&requests)?;
        perform_unless_gone(socket, &deletions)?;
        let strangers = there.iter().any(|found| !ours.contains(&found.filter.name.node));
        if members.is_empty() && !strangers {
            perform_unless_gone(socket, &[filter::delete_priority(eth0, INGRESS, priority, protocol)])?;
        }
    }
    Ok(())
}

/// Whether it is one that [`shared`] can make.
fn is_shared(found: &Filter) -> bool {
    let group = usize::from(found.name.node.saturating_sub(0x10)) * crate::netlink::action::MOST;
    let any = shared(&[(u32::try_from(group).unwrap_or(0), 1)]);
    any.get(&(found.name.priority, found.name.node)).is_some_and(|rule| {
        is_for(found, rule)
            && found.actions.is_empty() == rule.actions.is_empty()
            && found.actions.iter().all(|action| matches!(action, Action::Mirror { .. }))
    })
}

/// Whatever its actions.
pub(super) fn is_for(found: &Filter, rule: &Rule) -> bool {
    found.name.priority == rule.priority
        && found.name.protocol == rule.protocol
        && found.keys == rule.keys
        && found.class == Some(rule.class)
}

/// What is gone need not be removed any more.
fn perform_unless_gone(socket: &mut Socket, requests: &[Request<'_>]) -> Result<()> {
    let results = socket.perform_each(requests);
    let failed = |result: &Result<()>| {
        result.as_ref().is_err_and(|error| !error.errno().is_some_and(|errno| GONE.contains(&errno)))
    };
    results.into_iter().find(failed).unwrap_or(Ok(()))
}

fn too_many(device: Device<'_>) -> Error {
    Error::Refused(format!(
        "{} has as many filters as there can be: give containers fewer ranges of ports, or ranges that begin at multiples of their \
         length",
        device.name
    ))
}
