//! The settings of network/ports.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::error::ConfigError;
use super::flags::network_ports as flags;
use super::network::PortRanges;
use super::sources::Sources;
use super::values::{ValueError, parse_duration};

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPorts {
    /// From the end of one look to the next. At least 100 ms.
    pub container_ports_watch_interval: Duration,
    /// Whether who listens where it may not is ended.
    pub enforce_container_ports: bool,
    /// Only those of `agent_ports` count.
    pub check_agent_port_range_only: bool,
    /// What the agent offers.
    pub agent_ports: PortRanges,
    /// Only these count. Absent: all.
    pub container_ports_isolated_range: Option<PortRanges>,
}

impl NetworkPorts {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<NetworkPorts, ConfigError> {
        Ok(NetworkPorts {
            container_ports_watch_interval: sources.value(&flags::CONTAINER_PORTS_WATCH_INTERVAL, interval)?,
            enforce_container_ports: sources.boolean(&flags::ENFORCE_CONTAINER_PORTS)?,
            check_agent_port_range_only: sources.boolean(&flags::CHECK_AGENT_PORT_RANGE_ONLY)?,
            agent_ports: sources.value(&flags::AGENT_PORTS, PortRanges::parse_any)?,
            container_ports_isolated_range: sources
                .optional(&flags::CONTAINER_PORTS_ISOLATED_RANGE, PortRanges::parse_any)?,
        })
    }
}

/// Each look is a process of its own.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, ValueError> {
    parse_duration(text).and_then(|interval| {
        if interval < LEAST_INTERVAL { Err(ValueError::TooOften(LEAST_INTERVAL)) } else { Ok(interval) }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings, Untrusted};

    #[test]
    fn looks_have_a_pause_between_them() {
        let resolve = |text: &str| {
            let variable = ("MESOS_ECP_CONTAINER_PORTS_WATCH_INTERVAL".into(), text.into());
            Config::resolve(&Settings::default(), [variable].into_iter(), &Untrusted::default())
        };
        let interval = |text: &str| resolve(text).unwrap().0.network_ports.container_ports_watch_interval;
        assert_eq!(interval("100ms"), Duration::from_millis(100));
        assert_eq!(interval("1mins"), Duration::from_secs(60));
        for short in ["1ns", "0ns", "99.9ms"] {
            let error = resolve(short).unwrap_err().to_string();
            assert!(error.contains(short) && error.contains("a shorter time than 100ms"), "{error}");
        }
    }

    #[test]
    fn ranges_of_ports() {
        for (text, ranges) in [
            ("[31000-32000]", vec![31000..=32000]),
            (" [ 0-65535 ] ", vec![0..=65535]),
            ("8000-8079, 9000-9000", vec![8000..=8079, 9000..=9000]),
        ] {
            assert_eq!(PortRanges::parse_any(text).unwrap().ranges(), ranges, "{text}");
        }
        for bad in
            ["", "[]", "100", "foo", "[100-65536]", "[1-", "1-2]", "7-6", "+1-2", "[1-2,]", "-1-2", "ports:[1-2]"]
        {
            assert_eq!(PortRanges::parse_any(bad), Err(ValueError::AnyPortRanges), "{bad}");
        }
    }
}
