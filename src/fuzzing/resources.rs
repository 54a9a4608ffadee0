//! Resources in the text form of the agent's flag: what is understood is the same after printing and another reading.
#![forbid(unsafe_code)]

use crate::protocol::resources::text::{parse, print};

pub(super) fn body(data: &[u8]) {
    let resources = match parse(super::text(data)) {
        Ok(resources) => resources,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let printed = print(&resources);
    assert_eq!(parse(&printed).as_ref(), Ok(&resources), "printed as {printed:?}");
}
