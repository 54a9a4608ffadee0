//! The facts about projects.
#![forbid(unsafe_code)]

use std::path::Path;

use super::facts::Facts;
use crate::fuzzing::again;

/// Facts of any bytes.
pub(crate) fn kept(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let facts = Facts::read(&bytes.to_vec()).ok()?;
        facts.interval();
        facts.of(Path::new("/sandbox"));
        Some(facts)
    };
    again(data, read, Facts::bytes);
}
