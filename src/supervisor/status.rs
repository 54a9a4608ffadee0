//! The exit status of a process that is not our child.
//!
//! Its parent, the supervisor, is dead, so pid 1 reaps it. The kernel tells its status in two places: while it is a zombie
//! in /proc/PID/stat (field 52, for who may trace it), and on a pidfd that was opened before its end once it was reaped
//! (PIDFD_GET_INFO, Linux 6.15). An init (`--pid1=init`) has written down that of the executor in any case.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use caps::{CapSet, Capability};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Charge;
use crate::sys::{ExitInfo, Pidfd};

/// Why there is none, for the Termination's message.
pub(super) const LOST: &str =
    "its supervisor had died, and had either taken it along or the kernel did not keep it (Linux 6.15 and later do)";

/// How long pid 1 may take to reap; the usual ones do at once, some look every second.
const REAPING: Duration = Duration::from_secs(10);

/// The raw wait(2) status of a container whose first process has ended with `status`: the same, unless that was an init.
pub(super) fn of_first(charge: &Charge, status: i32) -> i32 {
    of_file(charge).unwrap_or(status)
}

/// What an init has written down about the executor.
pub(super) fn of_file(charge: &Charge) -> Option<i32> {
    charge.checkpoint.init().then(|| charge.dir.status()).flatten()
}

/// The raw wait(2) status of the container's first process, whose pidfd has become readable.
pub(super) fn of_stranger(charge: &Charge, pidfd: &Pidfd) -> Option<i32> {
    of_file(charge).or_else(|| of_zombie(charge)).or_else(|| of_reaped(pidfd))
}

/// That of a first process which nobody has reaped yet.
pub(super) fn of_zombie(charge: &Charge) -> Option<i32> {
    let first = charge.checkpoint.first.as_ref()?;
    let stat = charge.proc.stat(first.pid).filter(|s| s.starttime == first.start_time && s.state == 'Z')?;
    let status = stat.exit_code?;
    // Who may not trace the process reads 0.
    let may_trace = || caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE).unwrap_or(false);
    (status != 0 || may_trace()).then_some(status)
}

fn of_reaped(pidfd: &Pidfd) -> Option<i32> {
    let deadline = Instant::now() + REAPING;
    loop {
        match pidfd.exit_info() {
            ExitInfo::Status(status) => return Some(status),
            ExitInfo::Unknown => return None,
            ExitInfo::NotYet => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        // Nothing asked for but POLLHUP, which comes with the reaping (POLLIN is there already). Not every kernel that
        // has the one has the other, so it is looked at from time to time anyway.
        let step = PollTimeout::try_from(left.min(Duration::from_millis(200))).unwrap_or(PollTimeout::ZERO);
        let _ = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::empty())], step);
    }
}

/// Whether the process has ended.
pub(super) fn is_over(pidfd: &Pidfd) -> bool {
    poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The status of the first process after everything was killed: what the kernel says, else that of the kill if it `ran` until then.
pub(super) fn of_killed(charge: &Charge, pidfd: &Pidfd, ran: bool) -> Option<i32> {
    // Nobody waits here for pid 1 to reap it: it ran until it was killed.
    of_file(charge).or_else(|| of_zombie(charge)).or_else(|| match pidfd.exit_info() {
        ExitInfo::Status(status) => Some(status),
        _ => ran.then_some(libc::SIGKILL),
    })
}
