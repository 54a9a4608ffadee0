//! Ports that a running container is given and that are taken from it.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;

use super::facts::Facts;
use super::host::check_given;
use super::ranges::Ports;
use super::registry::{Entry, Locked, Range};
use super::rules::{blocks, from_ports};
use super::shared::{Links, attach, check_others, detach};
use super::{filters, forgotten, inside, namespace, state};
use crate::config;
use crate::error::Result;
use crate::isolator::Container;
use crate::netlink::Socket;

/// Makes `new` the container's ports. What is new is made from its side to the host's, what is gone is removed the other way round.
/// Returns what the registry has of it then, or None where nothing has changed.
///
/// The host's lock is not held while the container's own filters are changed: who is root there decides how long that takes.
///
/// # Errors
/// A port is another's; the kernel's. What was old and what is new are both registered then, until the next update or the end.
pub(super) fn change(
    container: &Container<'_>,
    flags: &config::Network,
    facts: &Facts,
    new: &[Ports],
) -> Result<Option<Entry>> {
    let (id, state) = (container.id.as_str(), state(container));
    let mut socket = Socket::route()?;
    let is_known = facts.entry.as_ref().is_some_and(|known| known.ports() == new);
    let mut locked = match Locked::take() {
        // Without the registry, too, a container goes on as it is.
        Err(_) if is_known => return Ok(None),
        locked => locked?,
    };
    // Not of the facts: an update that was cut short has left more than they know.
    let old = match locked.registry.of(id, &state) {
        Some(entry) => entry.ports(),
        None if is_known => return Ok(None),
        None => return Err(forgotten()),
    };
    if new == old && is_known {
        return Ok(None);
    }
    // What it has it may keep, whatever the host's own ports are by now.
    let is_new = |range: &&Ports| !old.iter().any(|old| old.contains(range.start()) && old.contains(range.end()));
    check_given(&new.iter().filter(is_new).cloned().collect::<Vec<_>>(), flags)?;
    check_others(&locked.registry.containers, id, &state, new)?;
    let entry = locked.registry.of_mut(id, &state).ok_or_else(forgotten)?;
    let before = entry.clone();
    entry.ports.extend(new.iter().map(Range::new));
    let both = entry.clone();
    // Whoever comes after a crash removes both.
    locked.save()?;
    drop(locked);

    let after = Entry { ports: new.iter().map(Range::new).collect(), ..before.clone() };
    let (all_new, all_old) = (after.all_ports(), before.all_ports());
    let links = Links::of(&mut socket, &both)?;
    let ends = links.ends(&both);
    if let Some(veth) = &links.veth {
        let namespace = namespace(container)?;
        let (from_new, from_old) = (from_ports(&ends, &blocks(&all_new)), from_ports(&ends, &blocks(&all_old)));
        filters::add(&mut socket, veth.device(), &from_new)?;
        inside::change(namespace.as_fd(), ends.address, &all_new, &[])?;
        {
            let locked = Locked::take()?;
            let entry = locked.registry.of(id, &state).ok_or_else(forgotten)?;
            attach(&mut socket, &locked, entry, &all_new, &all_old)?;
        }
        inside::change(namespace.as_fd(), ends.address, &all_new, &all_old)?;
        let gone: Vec<_> = from_old.into_iter().filter(|rule| !from_new.contains(rule)).collect();
        filters::remove(&mut socket, veth.device(), &gone)?;
    }
    let mut locked = Locked::take()?;
    // Also where it has just ended, or who is root in it has deleted its link; and another launch may have attached once more what
    // the registry has until now.
    let kept = blocks(&all_new);
    let gone: Vec<_> = blocks(&all_old).into_iter().filter(|block| !kept.contains(block)).collect();
    detach(&mut socket, &locked, &links, &both, &gone)?;
    let entry = locked.registry.of_mut(id, &state).ok_or_else(forgotten)?;
    entry.ports.clone_from(&after.ports);
    let entry = entry.clone();
    locked.save()?;
    Ok(Some(entry))
}
