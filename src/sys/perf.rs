//! Counters of what the processes of a cgroup do on one processor: perf_event_open(2).
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

/// What is to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerfEvent {
    /// PERF_TYPE_* of linux/perf_event.h.
    pub kind: u32,
    /// Which one of that type.
    pub config: u64,
}

/// A counter on one processor.
#[derive(Debug)]
pub struct PerfCounter(File);

/// What a counter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerfCount {
    /// The count as it is.
    pub value: u64,
    /// Nanoseconds in which it should have counted.
    pub enabled: u64,
    /// Nanoseconds in which it did: less where counters take turns on the hardware.
    pub running: u64,
}

/// struct perf_event_attr of linux/perf_event.h in its first form (PERF_ATTR_SIZE_VER0, 64 bytes).
#[repr(C)]
#[derive(Debug, PartialEq, Eq)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

/// PERF_FORMAT_TOTAL_TIME_ENABLED and PERF_FORMAT_TOTAL_TIME_RUNNING.
const TIMES: u64 = 1 << 0 | 1 << 1;
/// The first bit of the flags.
const DISABLED: u64 = 1;
const PERF_FLAG_PID_CGROUP: libc::c_ulong = 1 << 2;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

impl Attributes {
    fn of(event: PerfEvent, flags: u64) -> Attributes {
        Attributes {
            kind: event.kind,
            size: size_of::<Attributes>() as u32,
            config: event.config,
            sample_period: 0,
            sample_type: 0,
            read_format: TIMES,
            flags,
            wakeup_events: 0,
            bp_type: 0,
            config1: 0,
        }
    }
}

impl PerfCounter {
    /// Starts to count an event of the processes in a cgroup and all below it on one processor.
    ///
    /// # Errors
    /// ENODEV for a processor that is not online, ENOENT for an event that the hardware does not have (or a cgroup that is
    /// removed or of a hierarchy without perf_event), EMFILE, EPERM.
    pub fn of_cgroup(event: PerfEvent, cgroup: BorrowedFd<'_>, cpu: u32) -> io::Result<PerfCounter> {
        let flags = PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC;
        open(&Attributes::of(event, 0), cgroup.as_raw_fd(), cpu as i32, flags)
    }

    /// Reads it; it goes on counting.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn read(&self) -> io::Result<PerfCount> {
        let mut bytes = [0; 24];
        (&self.0).read_exact(&mut bytes)?;
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_ne_bytes(*word));
        Ok(PerfCount { value: word(0), enabled: word(1), running: word(2) })
    }
}

/// Whether this kernel and its hardware can count an event at all, for the whole of one processor. Counts nothing.
///
/// # Errors
/// As [`PerfCounter::of_cgroup`]; ENOENT or EOPNOTSUPP for an event that there is not.
pub fn try_perf_event(event: PerfEvent) -> io::Result<()> {
    // SAFETY: takes nothing and returns a number.
    let cpu = unsafe { libc::sched_getcpu() };
    open(&Attributes::of(event, DISABLED), -1, cpu.max(0), PERF_FLAG_FD_CLOEXEC).map(drop)
}

/// Whether this kernel can count by cgroups (CONFIG_CGROUP_PERF).
///
/// # Errors
/// EINVAL when not, ENOSYS without any counting.
pub fn try_perf_cgroups(event: PerfEvent) -> io::Result<()> {
    // A descriptor that cannot be open is noticed only by kernels that look for a cgroup behind it.
    let flags = PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC;
    match open(&Attributes::of(event, DISABLED), i32::MAX, 0, flags) {
        Err(e) if e.raw_os_error() != Some(libc::EBADF) => Err(e),
        _ => Ok(()),
    }
}

fn open(attributes: &Attributes, pid: i32, cpu: i32, flags: libc::c_ulong) -> io::Result<PerfCounter> {
    // SAFETY: the kernel reads `size` bytes of the attributes, which is their size; it may write that field, and only when
    // it is wrong, which it is not.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const *attributes, pid, cpu, -1, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor, and nobody else has it.
    Ok(PerfCounter(unsafe { File::from_raw_fd(fd as i32) }))
}

const _: () = assert!(size_of::<Attributes>() == 64);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn attributes_are_laid_out_as_the_kernel_reads_them() {
        let attributes = Attributes::of(PerfEvent { kind: 3, config: 0x1_0203 }, DISABLED);
        // SAFETY: plain integers without padding, as the size says.
        let bytes: [u8; 64] = unsafe { std::mem::transmute(attributes) };
        let mut expected = [0; 64];
        expected[..4].copy_from_slice(&3_u32.to_ne_bytes());
        expected[4..8].copy_from_slice(&64_u32.to_ne_bytes());
        expected[8..16].copy_from_slice(&0x1_0203_u64.to_ne_bytes());
        expected[32..40].copy_from_slice(&3_u64.to_ne_bytes());
        expected[40..48].copy_from_slice(&1_u64.to_ne_bytes());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_no_kernel_has_is_an_error() {
        let error = try_perf_event(PerfEvent { kind: 1, config: 1 << 40 }).unwrap_err();
        assert!(error.raw_os_error().is_some(), "{error}");
    }
}
