//! Rates, and the times that packets take at a rate, in the kernel's ticks.
//!
//! Kernels since 3.8 reckon by the rate itself; the tables of times that they used before are sent because they still refuse
//! requests that have none. All is computed as tc does it, so that both give the same.
#![forbid(unsafe_code)]

use super::attribute::{Bad, Fields};
use crate::error::{Error, Result};

const PSCHED: &str = "/proc/net/psched";
/// The cells of a table of times.
const CELLS: u32 = 256;
const ETHERNET: u8 = 1;

/// What the kernel's clock of traffic control says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    ticks_per_microsecond: f64,
    /// How often a second the kernel looks at its queues, at least.
    hertz: u64,
}

impl Clock {
    /// Of Linux since 2.6.31 with timers of high resolution: a tick has 64 ns.
    pub const USUAL: Clock = Clock { ticks_per_microsecond: 15.625, hertz: 1_000_000_000 };

    /// Reads /proc/net/psched.
    ///
    /// # Errors
    /// Those of reading it, and InvalidData when it is in no known form.
    pub fn read() -> Result<Clock> {
        let text = std::fs::read_to_string(PSCHED).map_err(Error::path("read", PSCHED))?;
        let wrong = || std::io::Error::new(std::io::ErrorKind::InvalidData, format!("unexpected content {text:?}"));
        Clock::parse(&text).ok_or_else(wrong).map_err(Error::path("read", PSCHED))
    }

    /// Four hexadecimal numbers: nanoseconds per microsecond, per tick; ticks per second; 10⁹ by the timers' resolution.
    fn parse(text: &str) -> Option<Clock> {
        let mut numbers = text.split_whitespace().map(|word| u32::from_str_radix(word, 16).ok());
        let mut next = || numbers.next().flatten();
        let (per_microsecond, mut per_tick, resolution, denominator) = (next()?, next()?, next()?, next()?);
        if per_tick == 0 {
            return None;
        }
        // An old kernel's way of saying that they are the same.
        if resolution == 1_000_000_000 {
            per_tick = per_microsecond;
        }
        let factor = f64::from(resolution) / 1e6;
        let ticks_per_microsecond = f64::from(per_microsecond) / f64::from(per_tick) * factor;
        let hertz = if resolution == 1_000_000 { denominator.into() } else { 100 };
        (ticks_per_microsecond > 0.0 && hertz > 0).then_some(Clock { ticks_per_microsecond, hertz })
    }

    /// How long so many bytes take at a rate in bytes per second, in ticks; the longest time for the rate 0.
    pub(super) fn ticks(self, rate: u64, size: u32) -> u32 {
        // Whole microseconds, as tc has them.
        let microseconds = (1e6 * (f64::from(size) / rate as f64)) as u32;
        (f64::from(microseconds) * self.ticks_per_microsecond) as u32
    }

    /// How many bytes a rate gives in so many ticks.
    pub(super) fn size(self, rate: u64, ticks: u32) -> u32 {
        let microseconds = f64::from(ticks) / self.ticks_per_microsecond;
        (rate as f64 * microseconds / 1e6).round() as u32
    }

    /// What a class may send at once at the least: all of what its rate gives between two looks, and a packet.
    pub(super) fn least_burst(self, rate: u64, packet: u32) -> u32 {
        u32::try_from(rate / self.hertz).unwrap_or(u32::MAX).saturating_add(packet)
    }

    /// struct tc_ratespec for a rate, and its table for packets up to so many bytes.
    pub(super) fn table(self, rate: u64, longest: u32) -> ([u8; 12], Vec<u8>) {
        let mut shift = 0_u8;
        while longest >> shift > CELLS - 1 {
            shift += 1;
        }
        let times = (1..=CELLS).flat_map(|cell| self.ticks(rate, cell << shift).to_ne_bytes()).collect();
        let mut spec = [0; 12];
        // Overhead and least size are 0; the cells' alignment is -1.
        let [a, b, c, d] = narrow(rate).to_ne_bytes();
        for (at, byte) in [(0, shift), (1, ETHERNET), (4, 0xff), (5, 0xff), (8, a), (9, b), (10, c), (11, d)] {
            if let Some(place) = spec.get_mut(at) {
                *place = byte;
            }
        }
        (spec, times)
    }
}

/// In the 32 bits that the older structures have for a rate: all set if it does not fit, and an attribute has it, too.
pub(super) fn narrow(rate: u64) -> u32 {
    u32::try_from(rate).unwrap_or(u32::MAX)
}

/// Whether an attribute must have the rate.
pub(super) fn is_wide(rate: u64) -> bool {
    u32::try_from(rate).is_err()
}

/// The rate of a struct tc_ratespec.
pub(super) fn of_spec(bytes: Option<&[u8]>) -> std::result::Result<u64, Bad> {
    bytes.and_then(|bytes| Fields(bytes).u32(8)).map(u64::from).ok_or(Bad("a rate is too short"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_hosts_clock_is_the_usual_one() {
        assert_eq!(Clock::parse("000003e8 00000040 000f4240 3b9aca00\n"), Some(Clock::USUAL));
        let slow = Clock { hertz: 250, ..Clock::USUAL };
        assert_eq!(Clock::parse("000003e8 00000040 000f4240 000000fa\n"), Some(slow));
        assert_eq!(slow.least_burst(2_500_000, 1600), 11_600);
        for text in ["", "000003e8 00000000 000f4240 3b9aca00", "000003e8 00000040 000f4240", "x 1 1 1"] {
            assert_eq!(Clock::parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_those_of_tc() {
        let clock = Clock::USUAL;
        assert_eq!(clock.ticks(2_500_000, 1600), 10_000);
        assert_eq!(clock.size(2_500_000, 10_000), 1600);
        // Nothing is divided by zero.
        assert_eq!(clock.ticks(0, 1600), u32::MAX);
        assert_eq!(clock.least_burst(u64::MAX, 1600), u32::MAX);
        let (spec, times) = clock.table(2_500_000, 1600);
        assert_eq!((spec[0], times.len()), (3, 1024));
        assert_eq!(times[..4], 46_u32.to_ne_bytes());
    }
}
