//! `cgroups/mem`: memory limits, the out-of-memory end and pressure. See docs/isolators/cgroups-mem.md.
#![forbid(unsafe_code)]

mod counters;
mod events;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod limits;
mod oom;
mod statistics;

use std::cell::RefCell;
use std::os::fd::BorrowedFd;

use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Limitation, Preparation, Watch, Watched};
use crate::isolators::Settings;
use crate::protocol::mesos::ResourceStatistics;
use counters::Counters;
use events::{Events, Seen};
use figures::Figures;

const NAME: &str = "cgroups/mem";

/// As named in v1.
const CONTROLLER: &str = "memory";

/// See the module.
#[derive(Debug)]
pub struct Mem {
    limit_swap: bool,
    /// v1: what belongs to the descriptor that `watch` returned. Only the process that watches has it.
    events: RefCell<Option<Events>>,
}

impl Mem {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Mem {
        Mem { limit_swap: settings.cgroups.cgroups_limit_swap, events: RefCell::new(None) }
    }

    fn ready_v1(&self) -> Result<Watched> {
        // After an error nobody watches any more, and the verdict goes by the counters.
        let Some(mut events) = self.events.take() else {
            return Ok(Watched::Done);
        };
        let watched = match events.look()? {
            Seen::OutOfMemory => return Ok(Watched::Limited(oom::limitation(events.cgroup(), oom::Version::V1))),
            Seen::Gone => return Ok(Watched::Done),
            Seen::Nothing => Watched::Continue,
            Seen::New(figures) => Watched::Figures(figures.encode()),
        };
        self.events.replace(Some(events));
        Ok(watched)
    }
}

fn cgroup(container: &Container<'_>) -> Result<Cgroup> {
    container.cgroups.open(CONTROLLER)
}

fn is_v2(container: &Container<'_>) -> bool {
    container.cgroups.is_unified(CONTROLLER)
}

fn figures(container: &Container<'_>) -> Result<Figures> {
    Ok(container.figures(NAME)?.as_deref().map(Figures::decode).unwrap_or_default())
}

impl Isolator for Mem {
    fn name(&self) -> &str {
        NAME
    }

    fn controllers(&self) -> &'static [&'static str] {
        &[CONTROLLER]
    }

    /// No facts: a new cgroup's counters begin at zero, and what has to be known later is among the figures.
    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let limit = limits::wanted(container.resources)?;
        let cgroup = cgroup(container)?;
        match is_v2(container) {
            true => limits::set_v2(&cgroup, limit, self.limit_swap)?,
            false => limits::set_v1(&cgroup, limit, self.limit_swap)?,
        }
        Ok(Preparation::default())
    }

    fn watch(&self, container: &Container<'_>, _facts: &Facts) -> Result<Vec<Watch>> {
        let cgroup = cgroup(container)?;
        if is_v2(container) {
            return Ok(vec![oom::watch_v2(&cgroup)?]);
        }
        let events = Events::open(cgroup, figures(container)?)?;
        let watch = events.watch()?;
        self.events.replace(Some(events));
        Ok(vec![watch])
    }

    fn ready(&self, container: &Container<'_>, _facts: &Facts, fd: BorrowedFd<'_>) -> Result<Watched> {
        if is_v2(container) { oom::ready_v2(cgroup(container), fd) } else { self.ready_v1() }
    }

    fn update(&self, container: &Container<'_>, _facts: &Facts) -> Result<Option<Facts>> {
        let limit = limits::wanted(container.resources)?;
        let cgroup = cgroup(container)?;
        match is_v2(container) {
            true => limits::change_v2(&cgroup, limit)?,
            false => limits::change_v1(&cgroup, limit)?,
        }
        Ok(None)
    }

    fn usage(&self, container: &Container<'_>, _facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        let cgroup = cgroup(container)?;
        if is_v2(container) {
            return statistics::fill_v2(&cgroup, statistics);
        }
        figures(container)?.fill(statistics);
        statistics::fill_v1(&cgroup, statistics)
    }

    /// On v1 whoever watches has heard of it before the process was killed; but its descriptor may not be polled any more,
    /// and it may have begun before that. Where nobody watches, the counters have to do. v2 may tell some milliseconds
    /// late, but counts at once.
    fn verdict(&self, container: &Container<'_>, _facts: &Facts) -> Result<Option<Limitation>> {
        if let Some(events) = self.events.borrow_mut().as_mut() {
            let found = events.look()? == Seen::OutOfMemory;
            return Ok(found.then(|| oom::limitation(events.cgroup(), oom::Version::V1)));
        }
        let cgroup = match cgroup(container) {
            // Somebody has removed it, so nobody was in it.
            Err(e) if e.is_not_found() => return Ok(None),
            cgroup => cgroup?,
        };
        if is_v2(container) {
            return Ok(oom::happened_v2(&cgroup)?.then(|| oom::limitation(&cgroup, oom::Version::V2)));
        }
        let happened = Counters::read_all(&cgroup)?.tell_of_oom_since(&figures(container)?.counters);
        Ok(happened.then(|| oom::limitation(&cgroup, oom::Version::V1)))
    }
}
