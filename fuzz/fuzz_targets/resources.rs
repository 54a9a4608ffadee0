//! Resources in the text form of the agent's flag: what is understood is the same after printing and another reading.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesos_ecp::protocol::resources::text::{parse, print};

fuzz_target!(|text: &str| {
    let resources = match parse(text) {
        Ok(resources) => resources,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let printed = print(&resources);
    assert_eq!(parse(&printed).as_ref(), Ok(&resources), "printed as {printed:?}");
});
