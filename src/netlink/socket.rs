//! Sockets, and the datagrams that go through them.
#![forbid(unsafe_code)]

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, NetlinkAddr, recvmsg, send};

use super::message::{Message, messages};
use crate::error::{Error, Result};
use crate::sys;

/// The kernel makes no longer datagrams than a reader has room for, up to this.
const ROOM: usize = 32 << 10;
/// Datagrams that may be left of a list that was given up.
const MOST_LEFT: u32 = 100_000;
/// The kernel may be busy with other people's requests: one lock serves all of them on a host.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket of one network namespace. Not for several threads at once.
pub struct Socket {
    pub(super) fd: OwnedFd,
    /// Of the last request.
    pub(super) sequence: u32,
    room: Vec<u8>,
    /// Answers may have been left unread.
    behind: bool,
    /// Reads a datagram; tests have one that reads what a script says.
    read: Read,
}

/// Reads one datagram into a buffer.
type Read = fn(BorrowedFd<'_>, &mut [u8], MsgFlags) -> nix::Result<Datagram>;

/// What is known of a datagram that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram {
    /// How much of the buffer it fills.
    pub size: usize,
    /// It is longer than the buffer.
    pub truncated: bool,
    /// Whose it is; 0: the kernel's.
    pub sender: u32,
}

fn read(socket: BorrowedFd<'_>, room: &mut [u8], how: MsgFlags) -> nix::Result<Datagram> {
    let mut parts = [IoSliceMut::new(room)];
    let received = recvmsg::<NetlinkAddr>(socket.as_raw_fd(), &mut parts, None, how)?;
    let sender = received.address.map_or(0, |sender| sender.pid());
    Ok(Datagram { size: received.bytes, truncated: received.flags.contains(MsgFlags::MSG_TRUNC), sender })
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("fd", &self.fd).field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Socket {
    /// For links, addresses, routes and traffic control of this thread's network namespace.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn route() -> Result<Socket> {
        Ok(Socket::new(sys::netlink_socket(libc::NETLINK_ROUTE, PATIENCE).map_err(cannot_open)?))
    }

    /// The same for another network namespace, given by a descriptor (of /proc/PID/ns/net, say). See [`sys::netlink_socket_in`].
    ///
    /// # Errors
    /// EPERM without CAP_SYS_ADMIN; those of socket(2).
    pub fn route_in(namespace: BorrowedFd<'_>) -> Result<Socket> {
        Ok(Socket::new(sys::netlink_socket_in(namespace, libc::NETLINK_ROUTE, PATIENCE).map_err(cannot_open)?))
    }

    /// For what the kernel knows of sockets in this thread's network namespace.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn diag() -> Result<Socket> {
        Ok(Socket::new(sys::netlink_socket(libc::NETLINK_SOCK_DIAG, PATIENCE).map_err(cannot_open)?))
    }

    /// The same for another network namespace.
    ///
    /// # Errors
    /// As [`Socket::route_in`].
    pub fn diag_in(namespace: BorrowedFd<'_>) -> Result<Socket> {
        Ok(Socket::new(sys::netlink_socket_in(namespace, libc::NETLINK_SOCK_DIAG, PATIENCE).map_err(cannot_open)?))
    }

    fn new(fd: OwnedFd) -> Socket {
        Socket::reading(fd, read)
    }

    pub(super) fn reading(fd: OwnedFd, read: Read) -> Socket {
        Socket { fd, sequence: 0, room: vec![0; ROOM], behind: false, read }
    }

    /// Reads what an earlier request left unread: the kernel gives no more answers until that is done.
    fn catch_up(&mut self) {
        for _ in 0..MOST_LEFT {
            if !self.behind
                || self.receive(false, &mut |_| {}).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            {
                break;
            }
        }
        self.behind = false;
    }

    /// To the kernel, which is whom a netlink socket without another address talks to.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.catch_up();
        loop {
            match send(self.fd.as_raw_fd(), bytes, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(sent) if sent == bytes.len() => return Ok(()),
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            }
        }
    }

    /// One datagram, message by message. EAGAIN: there is none, at once or after all patience.
    pub(super) fn receive(&mut self, wait: bool, each: &mut dyn FnMut(&Message<'_>)) -> io::Result<()> {
        let how = if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
        let datagram = loop {
            match (self.read)(self.fd.as_fd(), &mut self.room, how) {
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    self.behind = true;
                    return Err(errno.into());
                }
                Ok(datagram) => break datagram,
            }
        };
        if datagram.sender != 0 {
            // Anybody may send something here.
            return Ok(());
        }
        if datagram.truncated {
            self.behind = true;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer is longer than 32 KiB"));
        }
        for message in messages(self.room.get(..datagram.size).unwrap_or_default()) {
            // What is behind a bad one in a datagram is lost.
            self.behind |= message.is_err();
            each(&message.map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))?);
        }
        Ok(())
    }
}

fn cannot_open(source: io::Error) -> Error {
    Error::System { operation: "open a netlink socket", source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::sys::socket::{bind, getsockname, sendto};

    /// A protocol by which everybody may talk to everybody.
    #[test]
    fn who_sent_a_datagram_and_whether_it_fits_is_known() {
        let open = || sys::netlink_socket(libc::NETLINK_USERSOCK, Duration::from_secs(1)).unwrap();
        let (ours, strangers) = (open(), open());
        for end in [&ours, &strangers] {
            bind(end.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
        }
        let to: NetlinkAddr = getsockname(ours.as_raw_fd()).unwrap();
        let by: NetlinkAddr = getsockname(strangers.as_raw_fd()).unwrap();
        for (length, truncated) in [(20, false), (100, false), (101, true)] {
            sendto(strangers.as_raw_fd(), &vec![0; length], &to, MsgFlags::empty()).unwrap();
            let read = read(ours.as_fd(), &mut [0; 100], MsgFlags::MSG_DONTWAIT).unwrap();
            assert_eq!((read.size, read.truncated, read.sender), (length.min(100), truncated, by.pid()));
        }
    }
}
