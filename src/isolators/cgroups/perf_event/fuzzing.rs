//! Events, samples, processors.
#![forbid(unsafe_code)]

use super::events::named;
use super::schedule::{Schedule, processors};
use crate::fuzzing::{again, message_again, said, text};
use crate::protocol::mesos::PerfStatistics;

/// Facts and a sample, of any bytes.
pub(crate) fn kept(data: &[u8]) {
    again(data, |bytes| Schedule::of(&bytes.to_vec()).ok(), Schedule::facts);
    message_again::<PerfStatistics>(data);
}

/// The value of `--perf_events`.
pub(crate) fn events(text: &str) {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if let Some(events) = said(named(&names)) {
        assert!(!events.is_empty() && events.len() <= names.len());
    }
}

/// A list of processors.
pub(crate) fn online(data: &[u8]) {
    processors(text(data));
}
