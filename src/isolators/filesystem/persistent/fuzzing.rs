//! The facts about persistent volumes.
#![forbid(unsafe_code)]

use super::facts::Facts;
use crate::fuzzing::again;

/// Facts of any bytes.
pub(crate) fn kept(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let facts = Facts::read(&bytes.to_vec()).ok()?;
        facts.sandbox();
        for volume in &facts.volumes {
            let _ = (volume.source(), volume.at(), volume.identity());
        }
        Some(facts)
    };
    again(data, read, |facts| facts.with(facts.volumes.clone()).bytes());
}
