//! `network/port_mapping`: containers with network namespaces of their own that share the host's address and are told apart by
//! their ports.
//!
//! | file | has |
//! |--|--|
//! | [`ranges`], [`name`], [`rules`], [`mirrors`], [`flows`] | what is to be, as data |
//! | [`registry`] | what all agents of the host have made, and the lock |
//! | [`filters`], [`sysctl`] | how the kernel is told |
//! | [`host`], [`connect`], [`inside`], [`shared`] | the host, the container, and what is between them |
//! | [`update`] | ports that come and go |
//! | [`handles`] | where operators find it |
//!
//! What leads to a container is made last and removed first. What is made is in the registry before, by which `cleanup` goes;
//! if that is lost it goes by the copy of the entry in the facts.
#![forbid(unsafe_code)]

mod connect;
mod facts;
mod filters;
mod flows;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handles;
mod host;
mod inside;
mod mirrors;
mod name;
mod ranges;
mod registry;
mod rules;
mod shared;
mod sysctl;
mod update;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use self::connect::connect;
use self::facts::Facts;
use self::host::{Host, SetUp, check_given, check_ports};
use self::inside::{ETH0, Given};
use self::ranges::Ports;
use self::registry::{Entry, Locked, Registry};
use self::shared::{Request, attach, attach_all, forget_dead, register, release};
use super::statistics::{self, Inside};
use crate::config::{self, Launcher, NetworkStatistics};
use crate::error::{Error, Result};
use crate::isolator::{self, Container, Isolator, Preparation};
use crate::isolators::Settings;
use crate::netlink::Socket;
use crate::protocol::mesos::ResourceStatistics;
use crate::protocol::resources;
use crate::step::step;

const NAME: &str = "network/port_mapping";

/// See the module.
#[derive(Debug)]
pub struct PortMapping {
    flags: config::Network,
    statistics: NetworkStatistics,
    launcher: Option<Launcher>,
}

impl PortMapping {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> PortMapping {
        PortMapping {
            flags: settings.network.clone(),
            statistics: settings.network_statistics,
            launcher: settings.cgroups.launcher,
        }
    }
}

/// Undoes what launches have made of the host.
///
/// # Errors
/// There are containers; the kernel's.
pub fn teardown() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::Refused("only root can change the host's network".into()));
    }
    let Some(mut locked) = Locked::take_existing()? else { return Ok(()) };
    let mut socket = Socket::route()?;
    forget_dead(&mut socket, &mut locked);
    let names: Vec<&str> = locked.registry.containers.iter().map(|entry| entry.container.as_str()).collect();
    if !names.is_empty() {
        return Err(Error::Refused(format!(
            "there are containers in the host's network: destroy {} first",
            names.join(", ")
        )));
    }
    host::tear_down(&mut socket, locked)
}

/// The container's state directory as the registry has it: which agent's it is.
fn state(container: &Container<'_>) -> String {
    container.state.map_or_else(String::new, |state| state.path().to_string_lossy().into_owned())
}

/// Its network namespace, by its first process.
fn namespace(container: &Container<'_>) -> Result<File> {
    let ended = || Error::Refused("the container has no process any more".into());
    let first = container.first.ok_or_else(ended)?;
    let path = format!("/proc/{}/ns/net", first.pid);
    let file = File::open(&path).map_err(Error::path("open", &path))?;
    // Or the number is another process's by now.
    if container.proc.start_time(first.pid) != Some(first.start_time) {
        return Err(ended());
    }
    Ok(file)
}

fn pid(container: &Container<'_>) -> Option<u32> {
    container.first.and_then(|first| u32::try_from(first.pid).ok())
}

/// In the container's log.
fn say(container: &Container<'_>, what: &str) {
    if let Some(state) = container.state {
        state.log(&format!("isolator {NAME}: {what}"));
    }
}

fn given_ports(container: &Container<'_>) -> Result<Vec<Ports>> {
    ranges::of_resource(&resources::ranges(container.resources, "ports"))
}

impl Isolator for PortMapping {
    fn name(&self) -> &str {
        NAME
    }

    fn probe(&self) -> Result<()> {
        let refuse = |why: &str| Err(Error::Refused(why.to_owned()));
        if !nix::unistd::geteuid().is_root() {
            return refuse("it needs root: run the agent as root, or leave network/port_mapping out of --isolation");
        }
        if self.launcher == Some(Launcher::Posix) {
            return refuse("it needs the linux launcher: leave out --launcher=posix");
        }
        if !Path::new("/proc/self/ns/net").exists() {
            return refuse("this kernel has no network namespaces (there is no /proc/self/ns/net)");
        }
        let ranges = self.flags.ephemeral_ports.ranges();
        if ranges::capacity(ranges, self.flags.ephemeral_ports_per_container) == 0 {
            return refuse(&format!(
                "--ephemeral_ports={} has no block of {} ports that begins at a multiple of their number \
                 (--ephemeral_ports_per_container)",
                self.flags.ephemeral_ports, self.flags.ephemeral_ports_per_container
            ));
        }
        check_ports(ranges)?;
        statistics::probe(&self.statistics)?;
        let mut socket = Socket::route()?;
        let host = Host::find(&mut socket, self.flags.eth0_name.as_deref(), self.flags.lo_name.as_deref())?;
        if self.flags.egress_unique_flow_per_container { flows::probe(&mut socket, &host.eth0) } else { Ok(()) }
    }

    fn plan(&self, container: &Container<'_>) -> Result<isolator::Facts> {
        check_given(&given_ports(container)?, &self.flags)?;
        Ok(Facts::new(container.id, &self.flags).bytes())
    }

    fn prepare(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Preparation> {
        let mut facts = Facts::read(facts)?;
        let ports = given_ports(container)?;
        let mut socket = Socket::route()?;
        let mut locked = Locked::take()?;
        let host = Host::find(&mut socket, facts.eth0.as_deref(), facts.lo.as_deref())?;
        let flows = self.flags.egress_unique_flow_per_container;
        if step("network set-up", || host.set_up(&mut socket, &mut locked, flows))? == SetUp::Again
            && let Err(e) = attach_all(&mut socket, &mut locked)
        {
            say(container, &format!("not all other containers are connected again: {e}"));
        }
        let request =
            Request { container: container.id.as_str(), state: &state(container), link: &facts.link, ports: &ports };
        let entry = step("network register", || register(&mut socket, &mut locked, &host, &request, &self.flags))?;
        // Which they are may be another question later, when routes have changed.
        facts.eth0 = Some(entry.eth0.clone());
        facts.lo = Some(entry.lo.clone());
        facts.entry = Some(entry);
        let namespaces = libc::CLONE_NEWNET as u64;
        Ok(Preparation { namespaces, facts: Some(facts.bytes()), ..Preparation::default() })
    }

    fn isolate(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<()> {
        let facts = Facts::read(facts)?;
        let entry = facts.entry.ok_or_else(forgotten)?;
        let (ephemeral, ports) = (entry.ephemeral.ports(), entry.all_ports());
        let namespace = namespace(container)?;
        let mut socket = Socket::route()?;
        let host = Host::find(&mut socket, facts.eth0.as_deref(), facts.lo.as_deref())?;
        if (host.ip(), host.mac) != entry.addresses() {
            return Err(Error::Refused(format!("the address of {} has just changed", entry.eth0)));
        }
        step("network connect", || connect(&mut socket, &host, &facts.link, &namespace, &ports))?;
        let given = Given { ephemeral: &ephemeral, ports: &ports, rate: facts.rate };
        if let Some(warning) = step("network inside", || inside::set_up(namespace.as_fd(), &host, &given))? {
            say(container, warning);
        }
        let mut locked = Locked::take()?;
        let entry = locked.registry.of_mut(container.id.as_str(), &state(container)).ok_or_else(forgotten)?;
        entry.pid = pid(container);
        let entry = entry.clone();
        locked.save()?;
        if entry.flow.is_none() && self.flags.egress_unique_flow_per_container {
            say(container, flows::NONE_LEFT);
        }
        if let Some(handles) = entry.handles()
            && let Err(e) = step("network handles", || handles.make())
        {
            say(container, &format!("operators will not find this container's network by its name: {e}"));
        }
        step("network attach", || attach(&mut socket, &locked, &entry, &ports, &[]))
    }

    fn update(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Option<isolator::Facts>> {
        let mut facts = Facts::read(facts)?;
        let new = given_ports(container)?;
        let Some(entry) = update::change(container, &self.flags, &facts, &new)? else { return Ok(None) };
        facts.entry = Some(entry);
        Ok(Some(facts.bytes()))
    }

    fn usage(
        &self,
        container: &Container<'_>,
        facts: &isolator::Facts,
        figures: &mut ResourceStatistics,
    ) -> Result<()> {
        let facts = Facts::read(facts)?;
        statistics::fill_link(figures, &facts.link)?;
        if !Inside::is_asked(facts.rate.is_some(), &self.statistics) {
            return Ok(());
        }
        // Of who has just ended the link has counted all.
        let Ok(namespace) = namespace(container) else { return Ok(()) };
        let inside = Inside { namespace: namespace.as_fd(), limited: facts.rate.is_some().then_some(ETH0) };
        statistics::fill_inside(figures, &inside, &self.statistics)
    }

    fn recover(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Option<isolator::Facts>> {
        let facts = Facts::read(facts)?;
        let mut socket = Socket::route()?;
        let mut locked = Locked::take()?;
        let entry = locked.registry.of(container.id.as_str(), &state(container)).ok_or_else(forgotten)?.clone();
        // The host may have lost its address, or have got another qdisc: what the container has goes on all the same.
        let host = Host::find(&mut socket, facts.eth0.as_deref(), facts.lo.as_deref());
        let host = host.and_then(|host| {
            let whole = host.set_up(&mut socket, &mut locked, entry.flow.is_some());
            whole.or_else(|e| host.set_up(&mut socket, &mut locked, false).and(Err(e)))
        });
        if matches!(host, Ok(SetUp::Again)) {
            attach_all(&mut socket, &mut locked)?;
        } else {
            attach(&mut socket, &locked, &entry, &entry.all_ports(), &[])?;
        }
        host.map(|_| None)
    }

    fn cleanup(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<()> {
        let Some(mut lost) = Facts::read(facts)?.entry else { return self.cleanup_registered(container) };
        lost.pid = lost.pid.or_else(|| pid(container));
        let mut locked = Locked::take_even_damaged()?;
        let known = locked.registry.of(container.id.as_str(), &state(container)).cloned();
        match known.or_else(|| unregistered(&locked.registry, lost)) {
            Some(entry) => release(&mut Socket::route()?, &mut locked, &entry)?,
            None => return Ok(()),
        }
        if locked.registry.host.is_none() { locked.remove() } else { Ok(()) }
    }
}

impl PortMapping {
    /// Of a launch that was cut short: the registry may know of it though the facts do not.
    fn cleanup_registered(&self, container: &Container<'_>) -> Result<()> {
        let Some(mut locked) = Locked::take_existing()? else { return Ok(()) };
        match locked.registry.of(container.id.as_str(), &state(container)).cloned() {
            Some(entry) => release(&mut Socket::route()?, &mut locked, &entry),
            None => Ok(()),
        }
    }
}

/// What of a container that is not in the registry (any more) may still be its own: others may have got the rest since.
fn unregistered(registry: &Registry, lost: Entry) -> Option<Entry> {
    let has_link = registry.containers.iter().all(|other| other.link != lost.link);
    has_link.then_some(Entry { flow: None, ..lost })
}

fn forgotten() -> Error {
    Error::Refused("somebody has removed the container from the host's registry of networks".into())
}
