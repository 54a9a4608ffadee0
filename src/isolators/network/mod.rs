//! The isolators for the containers' network.
#![forbid(unsafe_code)]

pub mod port_mapping;

pub(super) use port_mapping::PortMapping;
