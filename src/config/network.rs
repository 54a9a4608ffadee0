//! The settings that have to do with the containers' network.
#![forbid(unsafe_code)]

use std::ops::RangeInclusive;

use super::error::ConfigError;
use super::flags::network as flags;
use super::sources::Sources;
use super::values::{ValueError, parse_bytes};

/// Ports, as `[32768-57344]` or `[32768-40959,49152-57343]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRanges(Vec<RangeInclusive<u16>>);

impl PortRanges {
    /// None is 0. The brackets may be missing.
    pub(super) fn parse(text: &str) -> Result<PortRanges, ValueError> {
        PortRanges::from_on(1, text).ok_or(ValueError::PortRanges)
    }

    /// The same, and 0 may be one.
    pub(super) fn parse_any(text: &str) -> Result<PortRanges, ValueError> {
        PortRanges::from_on(0, text).ok_or(ValueError::AnyPortRanges)
    }

    fn from_on(lowest: u16, text: &str) -> Option<PortRanges> {
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(|n| *n >= lowest && !text.contains('+'));
        let range = |text: &str| {
            let (first, last) = text.split_once('-')?;
            let (first, last) = number(first).zip(number(last))?;
            (first <= last).then_some(first..=last)
        };
        let inner = text.trim().strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']'));
        let ranges = inner.and_then(|text| text.split(',').map(range).collect());
        ranges.map(PortRanges)
    }

    /// In the order given; they may overlap.
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }
}

/// As on the command line.
impl std::fmt::Display for PortRanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect();
        write!(f, "[{}]", ranges.join(","))
    }
}

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Of all containers together.
    pub ephemeral_ports: PortRanges,
    /// A power of two from 16 to 32768.
    pub ephemeral_ports_per_container: u16,
    /// Absent: the link of the default route.
    pub eth0_name: Option<String>,
    /// Absent: as the kernel says.
    pub lo_name: Option<String>,
    /// Bytes per second, never 0. Absent: no limit.
    pub egress_rate_limit_per_container: Option<u64>,
    /// A queue for each container where the host sends.
    pub egress_unique_flow_per_container: bool,
}

impl Network {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Network, ConfigError> {
        Ok(Network {
            ephemeral_ports: sources.value(&flags::EPHEMERAL_PORTS, PortRanges::parse)?,
            ephemeral_ports_per_container: sources.value(&flags::EPHEMERAL_PORTS_PER_CONTAINER, per_container)?,
            eth0_name: sources.optional(&flags::ETH0_NAME, link)?,
            lo_name: sources.optional(&flags::LO_NAME, link)?,
            egress_rate_limit_per_container: sources.optional(&flags::EGRESS_RATE_LIMIT_PER_CONTAINER, rate)?,
            egress_unique_flow_per_container: sources.boolean(&flags::EGRESS_UNIQUE_FLOW_PER_CONTAINER)?,
        })
    }
}

fn per_container(text: &str) -> Result<u16, ValueError> {
    let number = text.parse::<u16>().ok().filter(|number| *number >= 16 && number.is_power_of_two());
    number.ok_or(ValueError::PortsPerContainer)
}

fn link(text: &str) -> Result<String, ValueError> {
    let good = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    good.then(|| text.to_owned()).ok_or(ValueError::Link)
}

fn rate(text: &str) -> Result<u64, ValueError> {
    parse_bytes(text).and_then(|rate| if rate == 0 { Err(ValueError::NoRate) } else { Ok(rate) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_of_ports() {
        let ranges = PortRanges::parse("[32768-57344]").unwrap();
        assert_eq!(ranges.ranges(), [32768..=57344]);
        assert_eq!(PortRanges::parse("1-2,65535-65535").unwrap().to_string(), "[1-2,65535-65535]");
        for bad in ["", "[]", "5", "[5-", "5-6]", "0-5", "7-6", "+1-2", "1-65536", "[1-2,]", "-1-2"] {
            assert_eq!(PortRanges::parse(bad), Err(ValueError::PortRanges), "{bad}");
        }
    }

    #[test]
    fn counts_links_and_rates() {
        assert_eq!((per_container("1024"), per_container("16")), (Ok(1024), Ok(16)));
        for bad in ["", "0", "8", "1000", "65536", "-16", "x"] {
            assert_eq!(per_container(bad), Err(ValueError::PortsPerContainer), "{bad}");
        }
        assert_eq!(link("eth0.7"), Ok("eth0.7".into()));
        for bad in ["", "a b", "a/b", "sixteen-bytes-xx"] {
            assert_eq!(link(bad), Err(ValueError::Link), "{bad}");
        }
        assert_eq!((rate("37500KB"), rate("0B")), (Ok(38_400_000), Err(ValueError::NoRate)));
    }
}
