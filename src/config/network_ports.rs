//! The settings of network/ports.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::error::ConfigError;
use super::flags::network_ports as flags;
use super::network::PortRanges;
use super::sources::Sources;

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPorts {
    /// From the end of one look to the next. Never zero.
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
            container_ports_watch_interval: sources.timeout(&flags::CONTAINER_PORTS_WATCH_INTERVAL)?,
            enforce_container_ports: sources.boolean(&flags::ENFORCE_CONTAINER_PORTS)?,
            check_agent_port_range_only: sources.boolean(&flags::CHECK_AGENT_PORT_RANGE_ONLY)?,
            agent_ports: sources.value(&flags::AGENT_PORTS, PortRanges::parse_any)?,
            container_ports_isolated_range: sources
                .optional(&flags::CONTAINER_PORTS_ISOLATED_RANGE, PortRanges::parse_any)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::values::ValueError;

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
