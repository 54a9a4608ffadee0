//! What the isolators for cgroups read.
#![forbid(unsafe_code)]

pub(crate) use super::mem::fuzzing::memory;
pub(crate) use super::perf_event::fuzzing::online;

use crate::fuzzing::said;
use crate::protocol::mesos::Resource;

/// Facts and published figures, of any bytes.
pub(crate) fn kept(data: &[u8]) {
    super::mem::fuzzing::kept(data);
    super::perf_event::fuzzing::kept(data);
}

/// Values of flags.
pub(crate) fn flags(text: &str) {
    super::blkio::fuzzing::throttle(text);
    super::devices::fuzzing::allowed(text);
    super::perf_event::fuzzing::events(text);
}

/// The limit of memory.
pub(crate) fn resources(resources: &[Resource]) {
    if let Some(limit) = said(super::mem::fuzzing::limit(resources)) {
        assert!(limit >= 32 << 20);
    }
}
