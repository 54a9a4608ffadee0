//! The program a Mesos agent calls: see `mesos-ecp help`. What it does stands in the library, for others with more isolators.
#![no_main]
#![deny(unsafe_code)]

#[path = "sys/entry.rs"]
mod entry;

/// The exit code.
fn start() -> i32 {
    mesos_ecp::ecp::main_code()
}
