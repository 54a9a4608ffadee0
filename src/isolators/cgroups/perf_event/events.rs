//! The events by name: perf's names, as the agent's flag has them, and where each goes in the statistics.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::protocol::mesos::PerfStatistics;
use crate::sys::PerfEvent;

/// An event that has a field in the statistics.
#[derive(Debug)]
pub(super) struct Event {
    /// As perf calls it.
    pub(super) name: &'static str,
    /// As the kernel does.
    pub(super) code: PerfEvent,
    /// Puts a count into its field.
    pub(super) put: fn(&mut PerfStatistics, u64),
}

impl Event {
    /// Whether it shares the processor's few counters with others; the kernel counts its own all the time.
    pub(super) fn takes_turns(&self) -> bool {
        self.code.kind != SOFTWARE
    }
}

// PERF_TYPE_* of linux/perf_event.h.
const HARDWARE: u32 = 0;
const SOFTWARE: u32 = 1;
const CACHE: u32 = 3;

// PERF_COUNT_HW_CACHE_*: which cache, what is done, and what comes of it.
const L1D: u64 = 0;
const L1I: u64 = 1;
const LL: u64 = 2;
const DTLB: u64 = 3;
const ITLB: u64 = 4;
const BRANCH: u64 = 5;
const NODE: u64 = 6;
const LOAD: u64 = 0 << 8;
const STORE: u64 = 1 << 8;
const PREFETCH: u64 = 2 << 8;
const MISS: u64 = 1 << 16;

const fn event(name: &'static str, kind: u32, config: u64, put: fn(&mut PerfStatistics, u64)) -> Event {
    Event { name, code: PerfEvent { kind, config }, put }
}

/// The kernel counts clocks in nanoseconds; perf shows milliseconds, and so does the agent.
fn milliseconds(nanoseconds: u64) -> Option<f64> {
    Some(nanoseconds as f64 / 1e6)
}

#[rustfmt::skip]
static EVENTS: [Event; 51] = [
    event("cycles", HARDWARE, 0, |s, n| s.cycles = Some(n)),
    event("instructions", HARDWARE, 1, |s, n| s.instructions = Some(n)),
    event("cache-references", HARDWARE, 2, |s, n| s.cache_references = Some(n)),
    event("cache-misses", HARDWARE, 3, |s, n| s.cache_misses = Some(n)),
    event("branches", HARDWARE, 4, |s, n| s.branches = Some(n)),
    event("branch-misses", HARDWARE, 5, |s, n| s.branch_misses = Some(n)),
    event("bus-cycles", HARDWARE, 6, |s, n| s.bus_cycles = Some(n)),
    event("stalled-cycles-frontend", HARDWARE, 7, |s, n| s.stalled_cycles_frontend = Some(n)),
    event("stalled-cycles-backend", HARDWARE, 8, |s, n| s.stalled_cycles_backend = Some(n)),
    event("ref-cycles", HARDWARE, 9, |s, n| s.ref_cycles = Some(n)),
    event("cpu-clock", SOFTWARE, 0, |s, n| s.cpu_clock = milliseconds(n)),
    event("task-clock", SOFTWARE, 1, |s, n| s.task_clock = milliseconds(n)),
    event("page-faults", SOFTWARE, 2, |s, n| s.page_faults = Some(n)),
    event("context-switches", SOFTWARE, 3, |s, n| s.context_switches = Some(n)),
    event("cpu-migrations", SOFTWARE, 4, |s, n| s.cpu_migrations = Some(n)),
    event("minor-faults", SOFTWARE, 5, |s, n| s.minor_faults = Some(n)),
    event("major-faults", SOFTWARE, 6, |s, n| s.major_faults = Some(n)),
    event("alignment-faults", SOFTWARE, 7, |s, n| s.alignment_faults = Some(n)),
    event("emulation-faults", SOFTWARE, 8, |s, n| s.emulation_faults = Some(n)),
    event("L1-dcache-loads", CACHE, L1D | LOAD, |s, n| s.l1_dcache_loads = Some(n)),
    event("L1-dcache-load-misses", CACHE, L1D | LOAD | MISS, |s, n| s.l1_dcache_load_misses = Some(n)),
    event("L1-dcache-stores", CACHE, L1D | STORE, |s, n| s.l1_dcache_stores = Some(n)),
    event("L1-dcache-store-misses", CACHE, L1D | STORE | MISS, |s, n| s.l1_dcache_store_misses = Some(n)),
    event("L1-dcache-prefetches", CACHE, L1D | PREFETCH, |s, n| s.l1_dcache_prefetches = Some(n)),
    event("L1-dcache-prefetch-misses", CACHE, L1D | PREFETCH | MISS, |s, n| s.l1_dcache_prefetch_misses = Some(n)),
    event("L1-icache-loads", CACHE, L1I | LOAD, |s, n| s.l1_icache_loads = Some(n)),
    event("L1-icache-load-misses", CACHE, L1I | LOAD | MISS, |s, n| s.l1_icache_load_misses = Some(n)),
    event("L1-icache-prefetches", CACHE, L1I | PREFETCH, |s, n| s.l1_icache_prefetches = Some(n)),
    event("L1-icache-prefetch-misses", CACHE, L1I | PREFETCH | MISS, |s, n| s.l1_icache_prefetch_misses = Some(n)),
    event("LLC-loads", CACHE, LL | LOAD, |s, n| s.llc_loads = Some(n)),
    event("LLC-load-misses", CACHE, LL | LOAD | MISS, |s, n| s.llc_load_misses = Some(n)),
    event("LLC-stores", CACHE, LL | STORE, |s, n| s.llc_stores = Some(n)),
    event("LLC-store-misses", CACHE, LL | STORE | MISS, |s, n| s.llc_store_misses = Some(n)),
    event("LLC-prefetches", CACHE, LL | PREFETCH, |s, n| s.llc_prefetches = Some(n)),
    event("LLC-prefetch-misses", CACHE, LL | PREFETCH | MISS, |s, n| s.llc_prefetch_misses = Some(n)),
    event("dTLB-loads", CACHE, DTLB | LOAD, |s, n| s.dtlb_loads = Some(n)),
    event("dTLB-load-misses", CACHE, DTLB | LOAD | MISS, |s, n| s.dtlb_load_misses = Some(n)),
    event("dTLB-stores", CACHE, DTLB | STORE, |s, n| s.dtlb_stores = Some(n)),
    event("dTLB-store-misses", CACHE, DTLB | STORE | MISS, |s, n| s.dtlb_store_misses = Some(n)),
    event("dTLB-prefetches", CACHE, DTLB | PREFETCH, |s, n| s.dtlb_prefetches = Some(n)),
    event("dTLB-prefetch-misses", CACHE, DTLB | PREFETCH | MISS, |s, n| s.dtlb_prefetch_misses = Some(n)),
    event("iTLB-loads", CACHE, ITLB | LOAD, |s, n| s.itlb_loads = Some(n)),
    event("iTLB-load-misses", CACHE, ITLB | LOAD | MISS, |s, n| s.itlb_load_misses = Some(n)),
    event("branch-loads", CACHE, BRANCH | LOAD, |s, n| s.branch_loads = Some(n)),
    event("branch-load-misses", CACHE, BRANCH | LOAD | MISS, |s, n| s.branch_load_misses = Some(n)),
    event("node-loads", CACHE, NODE | LOAD, |s, n| s.node_loads = Some(n)),
    event("node-load-misses", CACHE, NODE | LOAD | MISS, |s, n| s.node_load_misses = Some(n)),
    event("node-stores", CACHE, NODE | STORE, |s, n| s.node_stores = Some(n)),
    event("node-store-misses", CACHE, NODE | STORE | MISS, |s, n| s.node_store_misses = Some(n)),
    event("node-prefetches", CACHE, NODE | PREFETCH, |s, n| s.node_prefetches = Some(n)),
    event("node-prefetch-misses", CACHE, NODE | PREFETCH | MISS, |s, n| s.node_prefetch_misses = Some(n)),
];

/// Other names that perf takes for the same.
const ALIASES: [(&str, &str); 8] = [
    ("cpu-cycles", "cycles"),
    ("branch-instructions", "branches"),
    ("idle-cycles-frontend", "stalled-cycles-frontend"),
    ("idle-cycles-backend", "stalled-cycles-backend"),
    ("faults", "page-faults"),
    ("cs", "context-switches"),
    ("migrations", "cpu-migrations"),
    ("iTLB-references", "iTLB-loads"),
];

/// The events of a list of names, each once. `_` is as good as `-`, and case does not matter.
///
/// # Errors
/// An empty list, or a name that is not known.
pub(super) fn named(names: &[String]) -> Result<Vec<&'static Event>> {
    let mut events: Vec<&Event> = Vec::with_capacity(names.len());
    for name in names {
        let perf_name = name.replace('_', "-");
        let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&perf_name));
        let meant = alias.map_or(perf_name.as_str(), |(_, meant)| meant);
        let event = EVENTS.iter().find(|e| e.name.eq_ignore_ascii_case(meant)).ok_or_else(|| {
            let known: Vec<&str> = EVENTS.iter().map(|e| e.name).collect();
            Error::Refused(format!(
                "--perf_events: \"{}\" is not known; known are {}",
                name.escape_default(),
                known.join(", ")
            ))
        })?;
        if !events.iter().any(|e| e.name == event.name) {
            events.push(event);
        }
    }
    match events.is_empty() {
        true => Err(Error::Refused("--perf_events names no event: there is nothing to count".into())),
        false => Ok(events),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use prost::Message;

    #[test]
    fn each_event_has_a_field_of_its_own_and_no_field_is_left_out() {
        let mut all = PerfStatistics::default();
        for (number, event) in EVENTS.iter().enumerate() {
            let mut one = PerfStatistics::default();
            let empty = one.encoded_len();
            (event.put)(&mut one, 1 + number as u64 * 1_000_000);
            assert!(one.encoded_len() > empty, "{}", event.name);
            (event.put)(&mut all, 1 + number as u64);
        }
        // The fields' names are the events', but for case and the strokes.
        let text = format!("{all:?}").to_lowercase();
        for event in &EVENTS {
            let field = event.name.to_lowercase().replace('-', "_");
            assert!(text.contains(&format!(" {field}: some(")), "{field}");
        }
        assert!(!text.contains("none"), "{text}");
        let mut codes: Vec<_> = EVENTS.iter().map(|e| (e.code.kind, e.code.config)).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), EVENTS.len());
    }

    #[test]
    fn names_are_perfs_in_any_spelling() {
        let list = ["task_clock", "l1-dcache-load-misses", "CS", "context-switches", "node_prefetch_misses"];
        let events = named(&list.map(str::to_owned)).unwrap();
        let codes: Vec<_> = events.iter().map(|e| (e.code.kind, e.code.config)).collect();
        assert_eq!(codes, [(1, 1), (3, 0x1_0000), (1, 3), (3, 0x1_0206)]);
        let error = named(&["tsk-clock".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"tsk-clock\" is not known; known are cycles, "), "{error}");
        assert!(named(&[]).is_err());
    }

    #[test]
    fn clocks_are_in_milliseconds() {
        let mut statistics = PerfStatistics::default();
        (named(&["cpu-clock".to_owned()]).unwrap()[0].put)(&mut statistics, 1_500_000);
        assert_eq!(statistics.cpu_clock, Some(1.5));
    }
}
