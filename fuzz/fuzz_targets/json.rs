//! JSON to a record and back: what was taken comes out the same, however often.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesos_ecp::protocol::json::{from_wire, to_wire};

const NAMES: [&str; 4] = [
    "mesos.containerizer.Launch",
    "mesos.containerizer.Update",
    "mesos.containerizer.Termination",
    "mesos.ResourceStatistics",
];

// The first byte says which message it is to be.
fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let name = NAMES[usize::from(*first) % NAMES.len()];
    let Ok(wire) = to_wire(name, text) else { return };
    let json = from_wire(name, &wire).expect("what was written can be read");
    let again = to_wire(name, &*json).expect("what was printed can be read");
    assert_eq!(from_wire(name, &again).expect("the same again"), json);
});
