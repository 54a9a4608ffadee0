//! A configuration file: reading it ends, and what it sets is a flag that a file may set, no flag twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesos_ecp::config::file::parse;

fuzz_target!(|text: &str| {
    let entries = match parse(text) {
        Ok(entries) => entries,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for (n, entry) in entries.iter().enumerate() {
        assert!(entry.flag.in_file() && !entry.value.is_empty());
        assert!(entries[..n].iter().all(|other| other.flag.name != entry.flag.name));
    }
});
