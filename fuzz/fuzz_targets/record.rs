//! Any bytes as a record: reading and decoding them ends, and a message that is understood survives its encoding and its JSON.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use mesos_ecp::protocol::json::{from_wire, to_wire};
use mesos_ecp::protocol::mesos::ResourceStatistics;
use mesos_ecp::protocol::mesos::containerizer::{Launch, Termination, Update};
use mesos_ecp::protocol::{Described, decode, read_record, write_record};

/// Compared by their text: a NaN is not equal to itself.
fn survives<M: prost::Message + Default + Described + Debug>(name: &'static str, bytes: &[u8]) {
    let Ok(message) = decode::<M>(bytes) else { return };
    let mut record = Vec::new();
    write_record(&mut record, &message).expect("a small message");
    let encoded = read_record(&mut &*record).expect("a whole record");
    let again: M = decode(&encoded).expect("what was encoded can be decoded");
    assert_eq!(format!("{message:?}"), format!("{again:?}"));
    let json = from_wire(name, &encoded).expect("what was encoded can be printed");
    let read: M = decode(&to_wire(name, &*json).expect("what was printed can be read")).expect("and decoded");
    assert_eq!(format!("{message:?}"), format!("{read:?}"));
}

// The first byte says which message it is to be.
fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let _ = read_record(&mut &*bytes);
    match first % 4 {
        0 => survives::<Launch>("mesos.containerizer.Launch", bytes),
        1 => survives::<Update>("mesos.containerizer.Update", bytes),
        2 => survives::<Termination>("mesos.containerizer.Termination", bytes),
        _ => survives::<ResourceStatistics>("mesos.ResourceStatistics", bytes),
    }
});
