//! What the isolators for networks have left, and what they make of resources.
#![forbid(unsafe_code)]

pub(crate) use super::port_mapping::fuzzing::{own_range, resources};

/// Facts, reports and the registry, of any bytes.
pub(crate) fn kept(data: &[u8]) {
    super::port_mapping::fuzzing::kept(data);
    super::ports::fuzzing::kept(data);
}
