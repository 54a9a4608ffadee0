//! seccomp(2). The filter itself is set by the first process: [`super::child`].
#![allow(unsafe_code)]

use std::io;

/// Whether the kernel has filters of system calls that can kill a process (Linux 4.14).
///
/// # Errors
/// EOPNOTSUPP, EINVAL or ENOSYS: it does not.
pub fn seccomp_available() -> io::Result<()> {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: the kernel reads one number of this function's stack.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
