//! What is published while the container runs: pressure events for `usage`, counters for whoever takes over.
#![forbid(unsafe_code)]

use super::counters::Counters;
use crate::protocol::mesos::ResourceStatistics;

/// The figures at one moment. All of them only rise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    /// Pressure events of level low and above, medium and above, critical (kernel document cgroup-v1/memory, "Memory
    /// Pressure"). Each is counted by all levels up to its own, so they never rise from left to right.
    pub(super) pressure: [u64; 3],
    /// As they were when the container was known not to have run out of memory.
    pub(super) counters: Counters,
}

impl Figures {
    /// Five numbers with spaces between them. More may follow in later versions.
    pub(super) fn encode(self) -> Vec<u8> {
        let [low, medium, critical] = self.pressure;
        format!("{low} {medium} {critical} {} {}", self.counters.failures, self.counters.kills).into_bytes()
    }

    /// What [`Figures::encode`] wrote. What is missing or damaged is zero.
    pub(super) fn decode(bytes: &[u8]) -> Figures {
        let text = String::from_utf8_lossy(bytes);
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let pressure = [next(), next(), next()];
        // Whether memory is full is of the moment: it needs no mark of before.
        Figures { pressure, counters: Counters { failures: next(), kills: next(), full: false } }
    }

    /// Fills in the pressure events.
    pub(super) fn fill(self, statistics: &mut ResourceStatistics) {
        let [low, medium, critical] = self.pressure;
        statistics.mem_low_pressure_counter = Some(low);
        statistics.mem_medium_pressure_counter = Some(medium);
        statistics.mem_critical_pressure_counter = Some(critical);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_their_file() {
        let figures =
            Figures { pressure: [7, 5, 3], counters: Counters { failures: 11, kills: u64::MAX, full: false } };
        assert_eq!(Figures::decode(&figures.encode()), figures);
        assert_eq!(Figures::decode(b""), Figures::default());
        assert_eq!(Figures::decode(b"1 x \xff"), Figures { pressure: [1, 0, 0], ..Figures::default() });
    }
}
