//! The isolators that work with cgroups, one file each.
#![forbid(unsafe_code)]

mod blkio;
mod cpu;
mod cpuset;
mod devices;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hugetlb;
mod mem;
mod net_cls;
mod perf_event;
mod pids;

pub(super) use blkio::Blkio;
pub(super) use cpu::Cpu;
pub(super) use cpuset::Cpuset;
pub(super) use devices::Devices;
pub(super) use hugetlb::Hugetlb;
pub(super) use mem::Mem;
pub(super) use net_cls::NetCls;
pub(super) use perf_event::PerfEvent;
pub(super) use pids::Pids;
