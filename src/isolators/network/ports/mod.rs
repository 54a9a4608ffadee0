//! `network/ports`: on hosts whose network the containers share, who listens on a port that is not its own is found out.
//!
//! Nothing keeps a container from listening anywhere; it is looked every now and then, by a child of the supervisor, see
//! [`looker`]. Nothing is remembered but the rules, and so nothing is to be cleaned up or recovered.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod listeners;
mod looker;
mod looking;
mod rules;
mod said;
mod same;
mod set;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::os::fd::BorrowedFd;

use crate::config::NetworkPorts;
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Limitation, Watch, Watched};
use crate::isolators::Settings;
use listeners::Found;
use looking::{Event, Looking};
use rules::Rules;
use said::Said;
use set::PortSet;

const NAME: &str = "network/ports";

/// REASON_CONTAINER_LIMITATION, agent 0.26 and later.
const REASON: i32 = 19;

const NO_DIAG: &str = "the kernel does not list listening sockets: load its module tcp_diag";

/// See the module.
#[derive(Debug)]
pub struct Ports {
    flags: NetworkPorts,
    /// Only in the process that watches.
    looking: RefCell<Option<Looking>>,
    said: RefCell<Said>,
}

impl Ports {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Ports {
        Ports { flags: settings.network_ports.clone(), looking: RefCell::default(), said: RefCell::default() }
    }

    /// What becomes of what was found. Only who is known to have other ports breaks the rules.
    fn found(&self, container: &Container<'_>, rules: &Rules, found: &Found) -> Result<Watched> {
        // What is forbidden by now counts: an update may have come since the look began.
        let wrong = found.ports.clone().within(&rules.forbidden(container.resources()?));
        let broken =
            |ports: &PortSet| format!("Container {} is listening on unallocated port(s): {ports}", container.id);
        if rules.enforce && !wrong.is_empty() {
            return Ok(Watched::Limited(Limitation { message: broken(&wrong), reason: REASON }));
        }
        let mut parts = Vec::new();
        let mut said = self.said.borrow_mut();
        let new = said.ports(&wrong);
        if !new.is_empty() {
            parts.push(broken(&new));
        }
        if said.unreadable(found.unreadable) {
            parts.push(format!(
                "processes that cannot be looked at, so that what they listen on is not known: {}",
                found.unreadable
            ));
        }
        if !parts.is_empty() {
            log(container, said.line(parts.join("; ")));
        }
        Ok(Watched::Continue)
    }

    fn failed(&self, container: &Container<'_>, error: &Error) {
        let mut said = self.said.borrow_mut();
        let text = error.to_string();
        if said.failure(&text) {
            log(container, said.failure_line(text));
        }
    }
}

fn log(container: &Container<'_>, line: Option<String>) {
    if let Some(line) = line
        && let Some(state) = container.state
    {
        state.log(&format!("isolator {NAME}: {line}"));
    }
}

impl Isolator for Ports {
    fn name(&self) -> &str {
        NAME
    }

    fn probe(&self) -> Result<()> {
        Rules::new(&self.flags)?;
        listeners::all()?.map(drop).ok_or_else(|| Error::Refused(NO_DIAG.into()))
    }

    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        Ok(Rules::new(&self.flags)?.facts())
    }

    fn watch(&self, _container: &Container<'_>, facts: &Facts) -> Result<Vec<Watch>> {
        let looking = Looking::new(Rules::of(facts)?.interval)?;
        let watch = looking.watch()?;
        self.looking.replace(Some(looking));
        Ok(vec![watch])
    }

    fn ready(&self, container: &Container<'_>, facts: &Facts, _fd: BorrowedFd<'_>) -> Result<Watched> {
        let rules = Rules::of(facts)?;
        let mut looking = self.looking.borrow_mut();
        let Some(looking) = looking.as_mut() else { return Ok(Watched::Done) };
        let done = match looking.next() {
            Ok(Event::Nothing) => return Ok(Watched::Continue),
            Ok(Event::Due) => {
                let forbidden = container.resources().map(|resources| rules.forbidden(resources));
                match forbidden.and_then(|forbidden| looking.begin(container, &forbidden)) {
                    Ok(()) => return Ok(Watched::Continue),
                    Err(e) => Err(e),
                }
            }
            Ok(Event::Found(found)) => self.found(container, &rules, &found),
            Err(e) => Err(e),
        };
        looking.pause(rules.interval)?;
        done.or_else(|e| {
            // Perhaps it is only this time.
            self.failed(container, &e);
            Ok(Watched::Continue)
        })
    }

    fn measures(&self) -> bool {
        false
    }
}
