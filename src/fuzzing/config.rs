//! A configuration file: reading it ends, and what it sets is a flag that a file may set, no flag twice.
#![forbid(unsafe_code)]

use crate::config::file::parse;

pub(super) fn body(data: &[u8]) {
    let entries = match parse(super::text(data)) {
        Ok(entries) => entries,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for (n, entry) in entries.iter().enumerate() {
        assert!(entry.flag.in_file() && !entry.value.is_empty());
        assert!(entries[..n].iter().all(|other| other.flag.name != entry.flag.name));
    }
}
