//! The cgroups isolators and the linux launcher. What is looked at are the kernel's own files, never our state.

mod all;
mod blkio;
mod calls;
mod cpu;
mod cpu_usage;
mod cpuset;
mod devices;
mod hugetlb;
pub mod inside;
mod launcher;
mod mem;
mod net_cls;
mod perf_event;
mod pids;
mod places;
pub mod private;
mod reader;
mod survivors;
mod unit;
