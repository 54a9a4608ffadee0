//! The figures of memory: as the kernel has them, and as they are published.
#![forbid(unsafe_code)]

use super::counters::{Counters, was_met};
use super::figures::Figures;
use super::limits::wanted;
use super::statistics::{fill_v1, fill_v2};
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::fuzzing::{Scratch, again, said};
use crate::protocol::mesos::{Resource, ResourceStatistics};

/// Each number has a file; the last is memory.stat and what says who was killed.
const V1: [&str; 6] = [
    "memory.usage_in_bytes",
    "memory.memsw.usage_in_bytes",
    "memory.soft_limit_in_bytes",
    "memory.failcnt",
    "memory.memsw.failcnt",
    "memory.memsw.max_usage_in_bytes",
];
const V2: [&str; 3] = ["memory.current", "memory.swap.current", "memory.low"];

/// A line for each number, and the rest of the text.
pub(crate) fn memory(data: &[u8]) {
    for (files, fill) in [(&V1[..], fill_v1 as fn(&_, &mut _) -> _), (&V2, fill_v2)] {
        let scratch = Scratch::new();
        let mut rest = data;
        for file in files {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            scratch.file(file, &rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        for file in ["memory.stat", "memory.oom_control"] {
            scratch.file(file, rest);
        }
        scratch.file("memory.memsw.limit_in_bytes", b"9223372036854771712\n");
        let Some(cgroup) = said(Cgroup::open(scratch.path())) else { return };
        let mut statistics = ResourceStatistics::default();
        said(fill(&cgroup, &mut statistics));
        said(was_met(&cgroup));
        if let Some(counters) = said(Counters::read_all(&cgroup)) {
            assert!(!counters.tell_of_oom_since(&counters));
        }
    }
}

/// What a container is limited to.
pub(crate) fn limit(resources: &[Resource]) -> Result<u64> {
    wanted(resources)
}

/// What is published.
pub(crate) fn kept(data: &[u8]) {
    again(data, |bytes| Some(Figures::decode(bytes)), |figures| figures.encode());
}
