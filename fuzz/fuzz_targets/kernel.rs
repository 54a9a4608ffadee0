//! Files of /proc, /sys, control groups and /etc. What must hold: `src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mesos_ecp::fuzzing::kernel(data));
