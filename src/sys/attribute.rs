//! Extended attributes by descriptor: fgetxattr(2) and fsetxattr(2).
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The value of an attribute of an open file (not O_PATH), if it has it and it is no longer than `most` bytes.
///
/// # Errors
/// EOPNOTSUPP where there are no attributes. Those named `trusted.` are not there for who has no CAP_SYS_ADMIN.
pub fn attribute(file: BorrowedFd<'_>, name: &CStr, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; most];
    // SAFETY: the name ends with a 0, and the kernel writes no more than there is room.
    let length = unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    let Ok(length) = usize::try_from(length) else {
        let error = io::Error::last_os_error();
        let is_none = [Some(libc::ENODATA), Some(libc::ERANGE)].contains(&error.raw_os_error());
        return if is_none { Ok(None) } else { Err(error) };
    };
    value.truncate(length);
    Ok(Some(value))
}

/// Gives an open file (not O_PATH) an attribute, or the one that it has another value.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN for those named `trusted.`; EOPNOTSUPP where there are no attributes.
pub fn set_attribute(file: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: the name ends with a 0, and the kernel reads as many bytes as there are.
    match unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_set_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let dir = std::fs::File::open(dir.path()).unwrap();
        // Where there are none for users, as on tmpfs of older kernels, there are those of root.
        let name = if nix::unistd::geteuid().is_root() { c"trusted.mesos-ecp.test" } else { c"user.mesos-ecp.test" };
        match set_attribute(dir.as_fd(), name, b"12345") {
            Err(e) if [Some(libc::EOPNOTSUPP), Some(libc::EPERM)].contains(&e.raw_os_error()) => return,
            set => set.unwrap(),
        }
        assert_eq!(attribute(dir.as_fd(), name, 10).unwrap().unwrap(), b"12345");
        assert_eq!(attribute(dir.as_fd(), name, 4).unwrap(), None);
        assert_eq!(attribute(dir.as_fd(), c"user.mesos-ecp.none", 4).unwrap(), None);
        set_attribute(dir.as_fd(), name, b"1").unwrap();
        assert_eq!(attribute(dir.as_fd(), name, 10).unwrap().unwrap(), b"1");
    }
}
