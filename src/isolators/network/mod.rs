//! The isolators for the containers' network.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod port_mapping;
mod ports;
pub mod statistics;

use super::AtMostOne;

pub(super) use port_mapping::PortMapping;
pub(super) use ports::Ports;

/// One container has one of them: where it has a network of its own, it listens on none of the host's ports.
pub(super) const PORTS: AtMostOne = AtMostOne {
    names: &["network/ports", "network/port_mapping"],
    why: "with network/port_mapping no port but its own can be reached",
};
