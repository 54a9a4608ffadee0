//! What is counted and when, as it is kept in the container's facts; and which processors there are.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::error::{Error, Result};
use crate::isolator::Facts;

/// The flags that a container was launched with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    /// Names, as written.
    pub(super) events: Vec<String>,
    /// From the start of one sample to that of the next.
    pub(super) interval: Duration,
    /// How long a sample takes.
    pub(super) duration: Duration,
}

impl Schedule {
    /// Interval and duration in nanoseconds and the names, a line each.
    pub(super) fn facts(&self) -> Facts {
        let mut text = format!("{}\n{}\n", self.interval.as_nanos(), self.duration.as_nanos());
        self.events.iter().for_each(|event| text.extend([event.as_str(), "\n"]));
        text.into_bytes()
    }

    /// From [`Schedule::facts`].
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn of(facts: &Facts) -> Result<Schedule> {
        let read = || {
            let mut lines = std::str::from_utf8(facts).ok()?.lines();
            let mut time = || lines.next()?.parse().ok().map(Duration::from_nanos);
            let (interval, duration) = (time()?, time()?);
            Some(Schedule { events: lines.map(str::to_owned).collect(), interval, duration })
        };
        read().ok_or_else(|| Error::Refused("the facts of cgroups/perf_event cannot be read".into()))
    }
}

/// More than any kernel has (CONFIG_NR_CPUS); a few characters could name four thousand millions.
const MOST_PROCESSORS: usize = 1 << 16;

/// The numbers in a list as `0-3,8` (kernel document admin-guide/cputopology); None for anything else.
pub(super) fn processors(list: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let mut range = first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?;
        numbers.extend(range.by_ref().take(MOST_PROCESSORS - numbers.len()));
        if range.next().is_some() {
            return None;
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn facts_keep_the_schedule() {
        let schedule = Schedule {
            events: vec!["task-clock".into(), "cs".into()],
            interval: Duration::from_secs(60),
            duration: Duration::from_millis(1500),
        };
        assert_eq!(Schedule::of(&schedule.facts()).unwrap(), schedule);
        assert!(Schedule::of(&Facts::new()).is_err());
    }

    #[test]
    fn lists_of_processors() {
        assert_eq!(processors("0-2,5,8-9"), Some(vec![0, 1, 2, 5, 8, 9]));
        assert_eq!(processors("0"), Some(vec![0]));
        assert_eq!(processors(""), None);
        assert_eq!(processors("0-x"), None);
        assert_eq!(processors("0-65535").map(|all| all.len()), Some(65536));
        assert_eq!(processors("0-65536"), None);
        assert_eq!(processors("0-4294967295,0-4294967295"), None);
    }
}
