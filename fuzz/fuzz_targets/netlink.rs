//! The kernel's answers over netlink. What must hold: `src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mesos_ecp::fuzzing::netlink(data));
