//! Whether what a process has open by a listening socket's number is that socket: numbers of sockets come round.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use crate::netlink::diag::TcpSocket;
use crate::proc::{OpenSocket, Proc, Stat};
use crate::sys::{Pidfd, socket_cookie};

/// Whether it is. Takes a second descriptor of it for a moment, where this is permitted, and compares the numbers that are
/// never given twice; else goes by whose socket it is.
pub(super) fn is(proc: &Proc, process: &Stat, open: &OpenSocket<'_>, socket: &TcpSocket) -> bool {
    // Of a process whose main thread has ended the kernel hands out nothing.
    let cookie = if process.state == 'Z' { Err(libc::ESRCH.into()) } else { cookie(proc, process, open) };
    agree(cookie, || open.owner(), socket)
}

/// Why there is no number to compare.
struct Unknown(Option<i32>);

impl From<i32> for Unknown {
    fn from(errno: i32) -> Unknown {
        Unknown(Some(errno))
    }
}

impl From<io::Error> for Unknown {
    fn from(error: io::Error) -> Unknown {
        Unknown(error.raw_os_error())
    }
}

fn cookie(proc: &Proc, process: &Stat, open: &OpenSocket<'_>) -> Result<u64, Unknown> {
    let pidfd = Pidfd::open(process.pid)?;
    // Or the pid is another's by now, whose descriptors are nobody's business.
    if proc.start_time(process.pid) != Some(process.starttime) {
        return Err(libc::EBADF.into());
    }
    let number = open.number().ok_or(Unknown::from(libc::EBADF))?;
    Ok(socket_cookie(pidfd.descriptor(number)?.as_fd())?)
}

fn agree(cookie: Result<u64, Unknown>, owner: impl FnOnce() -> io::Result<u32>, socket: &TcpSocket) -> bool {
    match cookie {
        Ok(cookie) => cookie == socket.cookie,
        // It was closed meanwhile, and perhaps its number given to a file.
        Err(Unknown(Some(libc::EBADF | libc::ENOTSOCK))) => false,
        // It may not be taken, or there is no such call: more than its account cannot be compared.
        Err(_) => match owner() {
            Ok(owner) => owner == socket.uid,
            Err(e) => e.kind() != io::ErrorKind::NotFound,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::netlink::diag::TcpState;
    use std::fs;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    fn described(listener: &TcpListener) -> TcpSocket {
        let link = fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let local = listener.local_addr().unwrap();
        let cookie = socket_cookie(listener.as_fd()).unwrap();
        let (inode, uid) = (link.ino() as u32, link.uid());
        TcpSocket { state: TcpState::Listen, local, remote: local, rtt: None, inode, uid, cookie }
    }

    fn this_has(socket: &TcpSocket) -> bool {
        let proc = Proc::default();
        let this = proc.stat(std::process::id() as i32).unwrap();
        let mut has = None;
        let looked = proc.sockets(&this, |open| {
            if open.inode == socket.inode {
                has = Some(is(&proc, &this, open, socket));
            }
        });
        looked.unwrap();
        has.unwrap()
    }

    #[test]
    fn a_socket_is_told_from_another_one_of_its_number() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let its = described(&listener);
        assert!(this_has(&its));
        let other = TcpSocket { cookie: its.cookie + 1, ..its.clone() };
        let own = Pidfd::open(std::process::id() as i32).unwrap();
        // Where system calls are filtered it may not be taken.
        if own.descriptor(listener.as_raw_fd()).is_ok() {
            assert!(!this_has(&other));
        }
    }

    #[test]
    fn where_it_may_not_be_taken_its_account_counts() {
        let socket = described(&TcpListener::bind("127.0.0.1:0").unwrap());
        let another = socket.uid + 1;
        for errno in [libc::EPERM, libc::ENOSYS, libc::ESRCH, libc::EMFILE] {
            assert!(agree(Err(errno.into()), || Ok(socket.uid), &socket), "{errno}");
            assert!(!agree(Err(errno.into()), || Ok(another), &socket), "{errno}");
            assert!(agree(Err(errno.into()), || Err(io::Error::from_raw_os_error(libc::EACCES)), &socket), "{errno}");
            assert!(!agree(Err(errno.into()), || Err(io::Error::from_raw_os_error(libc::ENOENT)), &socket), "{errno}");
        }
        assert!(!agree(Err(libc::EBADF.into()), || Ok(socket.uid), &socket));
        assert!(agree(Ok(socket.cookie), || Ok(another), &socket));
    }
}
