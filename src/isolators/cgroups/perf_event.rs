//! `cgroups/perf_event`: what the hardware and the kernel count of a container.
//!
//! Every `--perf_interval` the supervisor counts the events of the container's cgroup for `--perf_duration` and publishes the
//! sample; `usage` passes the latest one on. What is counted and when is as the container was launched with: the facts say
//! it. Open counters cannot be handed on: whoever takes over begins with a sample of its own.
#![forbid(unsafe_code)]

mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod sample;
mod schedule;

use std::cell::RefCell;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::poll::PollFlags;
use prost::Message;

use self::events::named;
use self::sample::{Sample, check_room, pause};
use self::schedule::Schedule;
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Watch, Watched};
use crate::isolators::Settings;
use crate::protocol::mesos::{PerfStatistics, ResourceStatistics};
use crate::sys::{set_timer, timer, try_perf_cgroups, try_perf_event};

const NAME: &str = "cgroups/perf_event";

/// The processors that are online, as `0-3,8`.
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// See the module.
#[derive(Debug)]
pub struct PerfEvent {
    schedule: Schedule,
    /// Only in the process that watches, and only descriptors: what was counted is published.
    under_way: RefCell<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    sample: Option<Sample>,
    /// That samples fail is said once.
    said: bool,
}

impl UnderWay {
    /// Perhaps it is only this sample.
    fn missed(&mut self, container: &Container<'_>, why: &Error) {
        if !std::mem::replace(&mut self.said, true)
            && let Some(state) = container.state
        {
            state.log(&format!("isolator {NAME}: a sample is missing: {why}"));
        }
    }
}

impl PerfEvent {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> PerfEvent {
        let flags = &settings.cgroups;
        let schedule = Schedule {
            events: flags.perf_events.clone(),
            interval: flags.perf_interval,
            duration: flags.perf_duration,
        };
        PerfEvent { schedule, under_way: RefCell::default() }
    }
}

impl Isolator for PerfEvent {
    fn name(&self) -> &str {
        NAME
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["perf_event"]
    }

    fn probe(&self) -> Result<()> {
        let Schedule { events, interval, duration } = &self.schedule;
        let events = named(events)?;
        if duration > interval {
            return Err(Error::Refused(format!(
                "--perf_duration is {duration:?}, longer than --perf_interval, which is {interval:?}"
            )));
        }
        for event in &events {
            try_perf_event(event.code).map_err(|e| {
                let why = match e.raw_os_error().map(nix::errno::Errno::from_raw) {
                    Some(nix::errno::Errno::ENOENT | nix::errno::Errno::EOPNOTSUPP) => {
                        format!("the processor or the virtual machine has no counter for it ({e})")
                    }
                    _ => format!("the kernel does not count it: {e}"),
                };
                Error::Refused(format!("--perf_events: {} is not available here because {why}", event.name))
            })?;
        }
        if let Some(event) = events.first() {
            try_perf_cgroups(event.code).map_err(|e| {
                Error::Refused(format!("not available here because this kernel does not count by cgroups: {e}"))
            })?;
        }
        check_room(events.len() * online()?.len())
    }

    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        Ok(self.schedule.facts())
    }

    fn watch(&self, _container: &Container<'_>, facts: &Facts) -> Result<Vec<Watch>> {
        Schedule::of(facts)?;
        // The first sample begins at once.
        let failed = "make a timer";
        let fd = timer().map_err(Error::system(failed))?;
        set_timer(fd.as_fd(), Duration::ZERO).map_err(Error::system(failed))?;
        Ok(vec![Watch { fd, events: PollFlags::POLLIN }])
    }

    fn ready(&self, container: &Container<'_>, facts: &Facts, fd: BorrowedFd<'_>) -> Result<Watched> {
        let schedule = Schedule::of(facts)?;
        let mut under_way = self.under_way.borrow_mut();
        let mut figures = None;
        let mut wait = match under_way.sample.take() {
            Some(sample) => {
                let wait = pause(sample.began(), schedule.interval);
                match sample.end() {
                    Ok(sample) => figures = Some(sample.encode_to_vec()),
                    Err(e) => under_way.missed(container, &e),
                }
                wait
            }
            None => Duration::ZERO,
        };
        if wait.is_zero() {
            match begin(container, &schedule) {
                Ok(sample) => {
                    under_way.sample = Some(sample);
                    wait = schedule.duration;
                }
                Err(e) => {
                    wait = schedule.interval;
                    under_way.missed(container, &e);
                }
            }
        }
        set_timer(fd, wait).map_err(Error::system("set a timer"))?;
        Ok(figures.map_or(Watched::Continue, Watched::Figures))
    }

    fn usage(&self, container: &Container<'_>, _facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        if let Some(figures) = container.figures(NAME)? {
            let sample = PerfStatistics::decode(figures.as_slice())
                .map_err(|e| Error::Refused(format!("the published sample cannot be read: {e}")))?;
            statistics.perf = Some(sample);
        }
        Ok(())
    }
}

fn begin(container: &Container<'_>, schedule: &Schedule) -> Result<Sample> {
    let cgroup = container.cgroups.open("perf_event")?;
    Sample::begin(&named(&schedule.events)?, &cgroup, &online()?)
}

fn online() -> Result<Vec<u32>> {
    let text = fs::read_to_string(ONLINE).map_err(Error::path("read", ONLINE))?;
    schedule::processors(text.trim())
        .ok_or_else(|| Error::Refused(format!("{ONLINE} says \"{}\", which is no list", text.escape_default())))
}
