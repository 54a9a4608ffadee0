//! Resource limits by number: nix has them only by names of its own.
#![allow(unsafe_code)]

use std::io;

/// The soft and the hard limit of this process; `u64::MAX` for none.
///
/// # Errors
/// EINVAL for a resource that the kernel does not know.
pub fn rlimit(resource: u32) -> io::Result<(u64, u64)> {
    let mut found = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let new = std::ptr::null::<libc::rlimit64>();
    // SAFETY: of this process; nothing is set, and the kernel writes to a structure of the right size.
    if unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, &raw mut found) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((found.rlim_cur, found.rlim_max))
}
