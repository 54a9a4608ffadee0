//! The isolators for the containers' network.
#![forbid(unsafe_code)]

pub mod port_mapping;
mod ports;
pub mod statistics;

use crate::error::{Error, Result};

pub(super) use port_mapping::PortMapping;
pub(super) use ports::Ports;

/// The list, if it does not have both.
///
/// # Errors
/// With both: where containers have networks of their own, nobody listens in the host's.
pub(super) fn at_most_one(names: Vec<String>) -> Result<Vec<String>> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has("network/ports") && has("network/port_mapping") {
        return Err(Error::Refused(
            "--isolation has both network/ports and network/port_mapping: with the latter no other port can be reached; \
             leave network/ports out"
                .into(),
        ));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn there_is_at_most_one() {
        let list = |names: &[&str]| at_most_one(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(list(&["posix/cpu", "network/ports"]).unwrap().len(), 2);
        assert_eq!(list(&["network/port_mapping", "posix/cpu"]).unwrap().len(), 2);
        let error = list(&["network/ports", "network/port_mapping"]).unwrap_err().to_string();
        assert!(error.contains("both network/ports and network/port_mapping"), "{error}");
    }
}
