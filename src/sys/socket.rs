//! What the kernel says of a socket.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The socket's number, which no other socket of the host gets until it is started anew, unlike its inode's (Linux 4.12).
///
/// # Errors
/// ENOTSOCK; ENOPROTOOPT where the kernel does not tell.
pub fn socket_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut size = size_of::<u64>() as libc::socklen_t;
    let to = (&raw mut cookie).cast();
    // SAFETY: the kernel writes at most `size` bytes to `cookie`, which has as many, and a number to `size`.
    let done = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_COOKIE, to, &raw mut size) };
    if done == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sys::Pidfd;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    #[test]
    fn a_socket_keeps_its_number_whoever_has_it() {
        let (one, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let cookie = socket_cookie(one.as_fd()).unwrap();
        assert_ne!(cookie, socket_cookie(other.as_fd()).unwrap());
        assert_eq!(cookie, socket_cookie(one.try_clone().unwrap().as_fd()).unwrap());
        let own = Pidfd::open(std::process::id() as i32).unwrap();
        match own.descriptor(one.as_raw_fd()) {
            Ok(taken) => assert_eq!(cookie, socket_cookie(taken.as_fd()).unwrap()),
            // Where system calls are filtered.
            Err(e) => assert!(matches!(e.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)), "{e}"),
        }
        let nothing = own.descriptor(i32::MAX).unwrap_err();
        assert!(matches!(nothing.raw_os_error(), Some(libc::EBADF | libc::EPERM | libc::ENOSYS)), "{nothing}");
        assert_eq!(
            socket_cookie(std::fs::File::open("/dev/null").unwrap().as_fd()).unwrap_err().raw_os_error(),
            Some(libc::ENOTSOCK)
        );
    }
}
