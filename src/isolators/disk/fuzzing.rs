//! What the isolators for disks have left.
#![forbid(unsafe_code)]

use std::path::Path;

use prost::Message;

use super::figures::Figures;
use super::schedule::Schedule;
use super::walker::Report;
use crate::fuzzing::{again, message_again};

/// Facts, figures and reports of any bytes.
pub(crate) fn kept(data: &[u8]) {
    super::xfs::fuzzing::kept(data);
    message_again::<Report>(data);
    again(data, |bytes| Schedule::of(&bytes.to_vec()).ok(), |schedule| schedule.facts());
    let read = |bytes: &[u8]| {
        let figures = Figures::read(bytes).ok()?;
        figures.of(Path::new(""));
        Some(figures)
    };
    again(data, read, Figures::encode_to_vec);
}
