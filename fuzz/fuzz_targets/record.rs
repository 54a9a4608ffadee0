//! One of sixteen messages. What must hold: `src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mesos_ecp::fuzzing::record(data));
