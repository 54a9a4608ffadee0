//! When a container is looked at and what follows, as it is kept in its facts: the flags that it was launched with.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::config::Disk;
use crate::error::{Error, Result};
use crate::isolator::Facts;

/// The flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    /// From the end of one walk to the start of the next.
    pub(super) interval: Duration,
    /// Whether a container that uses too much is ended.
    pub(super) enforce: bool,
    /// How many may walk on the host at the same time.
    pub(super) walkers: u64,
}

impl Schedule {
    /// Of the flags in force.
    pub(super) fn new(flags: &Disk) -> Schedule {
        Schedule {
            interval: flags.container_disk_watch_interval,
            enforce: flags.enforce_container_disk_quota,
            walkers: flags.disk_walkers.unwrap_or_else(half_of_the_processors),
        }
    }

    /// As one line of text.
    pub(super) fn facts(&self) -> Facts {
        format!("{} {} {}\n", self.interval.as_nanos(), u8::from(self.enforce), self.walkers).into_bytes()
    }

    /// From [`Schedule::facts`].
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn of(facts: &Facts) -> Result<Schedule> {
        let read = || {
            let mut words = std::str::from_utf8(facts).ok()?.split_whitespace();
            let mut number = || words.next()?.parse::<u64>().ok();
            let (interval, enforce, walkers) = (number()?, number()?, number()?);
            Some(Schedule { interval: Duration::from_nanos(interval), enforce: enforce != 0, walkers })
        };
        read().ok_or_else(|| Error::Refused("the facts of posix/disk cannot be read".into()))
    }
}

fn half_of_the_processors() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| (count.get() as u64 / 2).max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn facts_keep_the_schedule() {
        let schedule = Schedule { interval: Duration::from_millis(1500), enforce: true, walkers: 3 };
        assert_eq!(Schedule::of(&schedule.facts()).unwrap(), schedule);
        let schedule = Schedule { enforce: false, ..schedule };
        assert_eq!(Schedule::of(&schedule.facts()).unwrap(), schedule);
        assert!(Schedule::of(&Facts::new()).is_err());
    }
}
