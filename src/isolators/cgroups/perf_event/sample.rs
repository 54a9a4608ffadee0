//! One sample: counters are opened, count for a while, are read and closed.
//!
//! They are open only that long, so that a container costs nothing in between: open counters of a cgroup make every change
//! from one process to another a little slower.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::events::Event;
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::protocol::mesos::PerfStatistics;
use crate::sys::{PerfCount, PerfCounter};

/// Descriptors that a supervisor has for other things, and then some.
const OTHERS: u64 = 64;

/// A sample under way.
#[derive(Debug)]
pub(super) struct Sample {
    began: Instant,
    /// Seconds since 1970.
    timestamp: f64,
    /// For each event its counters, one a processor.
    counters: Vec<(&'static Event, Vec<PerfCounter>)>,
}

impl Sample {
    /// Begins to count on the processors that are online now.
    ///
    /// # Errors
    /// The first counter that cannot be opened, by its event's name; nothing is counted then.
    pub(super) fn begin(events: &[&'static Event], cgroup: &Cgroup, processors: &[u32]) -> Result<Sample> {
        make_room(events.len() * processors.len())?;
        let timestamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let began = Instant::now();
        let counters = events.iter().map(|event| Ok((*event, open(event, cgroup, processors)?)));
        Ok(Sample { began, timestamp, counters: counters.collect::<Result<_>>()? })
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Reads what was counted. An event for which the hardware had no room is left out.
    ///
    /// # Errors
    /// When a counter cannot be read.
    pub(super) fn end(self) -> Result<PerfStatistics> {
        let mut statistics = PerfStatistics { timestamp: self.timestamp, ..PerfStatistics::default() };
        for (event, counters) in &self.counters {
            let counts = counters.iter().map(PerfCounter::read).collect::<std::io::Result<Vec<_>>>();
            let counts =
                counts.map_err(|e| Error::Refused(format!("cannot read the counters of {}: {e}", event.name)))?;
            if let Some(sum) = sum(&counts, event.takes_turns()) {
                (event.put)(&mut statistics, sum);
            }
        }
        statistics.duration = self.began.elapsed().as_secs_f64();
        Ok(statistics)
    }
}

fn open(event: &Event, cgroup: &Cgroup, processors: &[u32]) -> Result<Vec<PerfCounter>> {
    let mut counters = Vec::with_capacity(processors.len());
    for processor in processors {
        match PerfCounter::of_cgroup(event.code, cgroup.as_fd(), *processor) {
            Ok(counter) => counters.push(counter),
            // Taken offline in this moment: nothing runs on it.
            Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32) => {}
            Err(e) => {
                return Err(Error::Refused(format!(
                    "cannot count {} of {} on processor {processor}: {e}",
                    event.name,
                    cgroup.path().display()
                )));
            }
        }
    }
    Ok(counters)
}

/// All processors' counts, each made larger by the time in which others had the hardware, if events take turns on it. None:
/// on one of them it never had its turn.
fn sum(counts: &[PerfCount], takes_turns: bool) -> Option<u64> {
    let scaled = |count: &PerfCount| match (count.enabled, count.running) {
        (enabled, running) if !takes_turns || enabled == running => Some(u128::from(count.value)),
        (_, 0) => None,
        (enabled, running) => Some(u128::from(count.value) * u128::from(enabled) / u128::from(running)),
    };
    let sum = counts.iter().map(scaled).sum::<Option<u128>>()?;
    Some(u64::try_from(sum).unwrap_or(u64::MAX))
}

/// Whether a process may have the descriptors that a sample takes, as far as its hard limit goes.
///
/// # Errors
/// That it may not, with the numbers.
pub(super) fn check_room(counters: usize) -> Result<()> {
    let needed = counters as u64 + OTHERS;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Error::system("read the limit of open files"))?;
    match needed > hard {
        true => Err(Error::Refused(format!(
            "not available here because a sample takes {needed} descriptors, one for each event and processor, and the \
             agent's hard limit of open files is {hard}: raise that or count fewer events"
        ))),
        false => Ok(()),
    }
}

fn make_room(counters: usize) -> Result<()> {
    let needed = counters as u64 + OTHERS;
    let failed = "raise the limit of open files";
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Error::system(failed))?;
    match needed > soft && soft < hard {
        // The supervisor's own; the container has its limits already.
        true => setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard).map_err(Error::system(failed)),
        false => Ok(()),
    }
}

/// How long until the next sample begins: `interval` after the last one did, at once if that is past.
pub(super) fn pause(began: Instant, interval: Duration) -> Duration {
    interval.saturating_sub(began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(value: u64, enabled: u64, running: u64) -> PerfCount {
        PerfCount { value, enabled, running }
    }

    #[test]
    fn processors_add_up_and_time_without_the_hardware_is_made_up_for() {
        assert_eq!(sum(&[count(10, 5, 5), count(1, 9, 9), count(0, 0, 0)], true), Some(11));
        assert_eq!(sum(&[count(10, 100, 25), count(1, 9, 9)], true), Some(41));
        assert_eq!(sum(&[count(u64::MAX, 3, 1), count(u64::MAX, 1, 1)], true), Some(u64::MAX));
        assert_eq!(sum(&[count(10, 5, 5), count(0, 100, 0)], true), None, "it was never counted there");
        assert_eq!(sum(&[count(10, 5, 5), count(0, 100, 0)], false), Some(10), "there was nothing to count");
        assert_eq!(sum(&[], true), Some(0));
    }

    #[test]
    fn what_no_limit_has_room_for_is_refused() {
        assert!(check_room(1).is_ok());
        let error = check_room(usize::MAX / 2).map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.contains("not available here because")));
    }

    #[test]
    fn samples_begin_at_even_intervals() {
        let second = Duration::from_secs(1);
        let began = Instant::now();
        assert!(pause(began, second * 60) > second * 55);
        assert_eq!(pause(began, Duration::ZERO), Duration::ZERO);
    }
}
