//! Timers as descriptors: timerfd_create(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A timer that is not set. It is readable (POLLIN) once it has expired.
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn timer() -> io::Result<OwnedFd> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets a timer to expire once, so much from now, at once for zero. One that has expired is as if it had not.
///
/// # Errors
/// EINVAL when the descriptor is no timer.
pub fn set_timer(timer: BorrowedFd<'_>, after: Duration) -> io::Result<()> {
    // All zero would stop it.
    let after = after.max(Duration::from_nanos(1));
    let expires = libc::itimerspec {
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: libc::timespec {
            tv_sec: libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: after.subsec_nanos().into(),
        },
    };
    // SAFETY: the kernel reads `expires`; a null pointer for the old setting is allowed.
    let done = unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const expires, std::ptr::null_mut()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    #[test]
    fn a_timer_expires_once_for_each_time_that_it_is_set() {
        let timer = timer().unwrap();
        let is_ready = |patience: u16| {
            let mut fds = [PollFd::new(timer.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::from(patience)).unwrap() == 1
        };
        assert!(!is_ready(0));
        set_timer(timer.as_fd(), Duration::ZERO).unwrap();
        assert!(is_ready(5000));
        set_timer(timer.as_fd(), Duration::from_secs(60)).unwrap();
        assert!(!is_ready(0));
    }
}
