//! Descriptors and heap of a process that goes its own way after a fork.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Leaves the process with /dev/null as 0, 1 and 2 and the given descriptors as 3, 4, ... in their order, and closes all
/// others, also those that somebody further up leaked (an agent of 0.22 leaks one).
///
/// # Safety
/// No object of this process that owns a descriptor may be used or dropped any more, but those returned.
pub(super) unsafe fn keep_only(kept: Vec<OwnedFd>) -> io::Result<Vec<OwnedFd>> {
    let first_free = 3 + kept.len() as i32;
    if !crate::weaken::is("descriptors") {
        close_all_but(&kept);
    }
    let mut high = Vec::with_capacity(kept.len());
    for fd in kept {
        // SAFETY: duplicates a descriptor that we own; all are moved out of the way before any is moved to its place.
        let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first_free) };
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        high.push(copy);
        std::mem::forget(fd);
    }
    let mut result = Vec::with_capacity(high.len());
    for (target, fd) in (3..).zip(high) {
        // SAFETY: the caller says that nobody uses what may be open as `target`.
        if unsafe { libc::dup3(fd, target, libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made by dup3.
        result.push(unsafe { OwnedFd::from_raw_fd(target) });
    }
    // SAFETY: a plain open of a constant path.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    if null < 0 {
        return Err(io::Error::last_os_error());
    }
    for target in 0..3 {
        // SAFETY: replaces the standard streams, which nobody uses any more.
        let done = if null == target { target } else { unsafe { libc::dup2(null, target) } };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    if !crate::weaken::is("descriptors") {
        close_from(first_free as u32)?;
    }
    Ok(result)
}

/// Makes room for copies, as there may be no more descriptors to have. What stays open for want of close_range(2) is closed later.
fn close_all_but(kept: &[OwnedFd]) {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers.into_iter().filter(|number| *number >= 3).chain([u32::MAX]) {
        if first < number {
            // SAFETY: closes by number what by `keep_only`'s contract nobody uses any more.
            unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0u32) };
        }
        first = number.saturating_add(1);
    }
}

/// close_range(2) of Linux 5.9; on older kernels one by one up to the limit.
fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: closes by number what by `keep_only`'s contract nobody uses any more.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0u32) };
    if done == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::ENOSYS) {
        return Err(error);
    }
    // SAFETY: sysconf reads a number.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }.clamp(256, 1 << 20);
    for fd in first as libc::c_int..limit as libc::c_int {
        // SAFETY: as above; a number that is not open answers EBADF.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// An own descriptor, closed by an exec, for what is open by this number: for programs that are told numbers of what they inherit.
///
/// # Errors
/// EBADF when nothing is open by it.
pub fn duplicate(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: asks the kernel for a new descriptor; what the number stands for stays as it is.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made by fcntl, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Gives free heap pages back to the kernel: a supervisor lives as long as its container and needs hardly any.
pub fn trim_heap() {
    // SAFETY: malloc_trim only returns free memory of this process's own heap.
    unsafe { libc::malloc_trim(0) };
}
