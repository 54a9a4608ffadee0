//! `posix/disk`, also called `disk/du`: what a container uses of disks is counted file by file, as du does, every now and then.
//!
//! A walk is done by a child of the supervisor, see [`super::walker`]; what it found is published, so that `usage` looks at no
//! file of the container's. Who takes over from a dead supervisor goes on from there.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message;

use super::figures::Figures;
use super::looking::{Event, Looking};
use super::quota::{Place, quotas, sandbox_limit};
use super::schedule::Schedule;
use super::turns::Turns;
use super::walker::{Measured, Report};
use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Limitation, Preparation, Watch, Watched};
use crate::isolators::Settings;
use crate::protocol::mesos::ResourceStatistics;

const NAME: &str = "posix/disk";

/// Until the first walk: what a container does at its start comes first, and who is done by then is not looked at at all.
const FIRST: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Du {
    schedule: Schedule,
    work_dir: Option<PathBuf>,
    /// Only in the process that watches, and only what ends with it: what was found is published.
    looking: RefCell<Option<Looking>>,
    /// What was last logged: the same is not said after each walk.
    said: RefCell<String>,
}

impl Du {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Du {
        Du {
            schedule: Schedule::new(&settings.disk),
            work_dir: settings.work_dir.clone(),
            looking: RefCell::default(),
            said: RefCell::default(),
        }
    }

    fn begin(&self, container: &Container<'_>, schedule: Schedule, looking: &mut Looking) -> Result<()> {
        let places = quotas(container, self.work_dir.as_deref())?.into_iter().map(|quota| quota.place);
        looking.walk(places.collect(), Turns::open(container.runtime_dir()?, schedule.walkers)?)
    }

    fn reported(
        &self,
        container: &Container<'_>,
        schedule: Schedule,
        looking: &mut Looking,
        report: &Report,
    ) -> Result<Watched> {
        // What is in force by now counts: an update may have come since the walk began.
        let quotas = quotas(container, self.work_dir.as_deref())?;
        let (mut figures, mut limitation) = (Figures::default(), None);
        for quota in &quotas {
            let walked = looking.places().iter().position(|place| *place == quota.place);
            let measured = walked.and_then(|at| report.places.get(at)).filter(|measured| measured.failed.is_none());
            let Some(Measured { bytes, .. }) = measured else { continue };
            figures.add(quota.place.at(), *bytes);
            if schedule.enforce && limitation.is_none() && quota.is_exceeded(*bytes) {
                limitation = Some(quota.limitation(*bytes));
            }
        }
        if !report.done && limitation.is_none() {
            return Ok(Watched::Continue);
        }
        let problems = looking.places().iter().zip(&report.places).filter_map(|(place, found)| problem(place, found));
        self.say(container, &report.failed.iter().cloned().chain(problems).collect::<Vec<_>>().join("; "));
        looking.pause(schedule.interval)?;
        let figures = figures.encode_to_vec();
        match limitation {
            Some(limitation) => {
                // Whether or not they can be stored, the container has to end.
                let _ = container.state.map(|state| state.write_figures(NAME, &figures));
                Ok(Watched::Limited(limitation))
            }
            None if report.failed.is_some() => Ok(Watched::Continue),
            None => Ok(Watched::Figures(figures)),
        }
    }

    fn say(&self, container: &Container<'_>, problem: &str) {
        if self.said.replace(problem.to_owned()) != problem
            && !problem.is_empty()
            && let Some(state) = container.state
        {
            state.log(&format!("isolator {NAME}: {problem}"));
        }
    }
}

impl Isolator for Du {
    fn name(&self) -> &str {
        NAME
    }

    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        Ok(self.schedule.facts())
    }

    /// Makes the file of turns while there is room for it.
    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        Turns::open(container.runtime_dir()?, Schedule::of(facts)?.walkers)?;
        Ok(Preparation::default())
    }

    fn watch(&self, _container: &Container<'_>, facts: &Facts) -> Result<Vec<Watch>> {
        let looking = Looking::new(FIRST.min(Schedule::of(facts)?.interval))?;
        let watch = looking.watch()?;
        self.looking.replace(Some(looking));
        Ok(vec![watch])
    }

    fn ready(&self, container: &Container<'_>, facts: &Facts, _fd: BorrowedFd<'_>) -> Result<Watched> {
        let schedule = Schedule::of(facts)?;
        let mut looking = self.looking.borrow_mut();
        let Some(looking) = looking.as_mut() else { return Ok(Watched::Done) };
        let done = match looking.next()? {
            Event::Nothing => return Ok(Watched::Continue),
            Event::Due => self.begin(container, schedule, looking).map(|()| Watched::Continue),
            Event::Report(report) => self.reported(container, schedule, looking, &report),
            Event::Lost(e) => Err(e),
        };
        done.or_else(|e| {
            // Perhaps it is only this time.
            self.say(container, &e.to_string());
            looking.pause(schedule.interval)?;
            Ok(Watched::Continue)
        })
    }

    /// There is nothing more to be looked at, and nobody shall wait for that.
    fn verdict(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Option<Limitation>> {
        self.looking.replace(None);
        Ok(None)
    }

    fn usage(&self, container: &Container<'_>, _facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        statistics.disk_limit_bytes = sandbox_limit(container.resources);
        if let Some(figures) = container.figures(NAME)? {
            statistics.disk_used_bytes = Figures::read(&figures)?.of(Path::new(""));
        }
        Ok(())
    }
}

/// What is to be said of a place.
fn problem(place: &Place, found: &Measured) -> Option<String> {
    let unread = || format!("{}: some files or directories cannot be looked at and do not count", place.name());
    found.failed.clone().or_else(|| (found.unreadable > 0).then(unread))
}
