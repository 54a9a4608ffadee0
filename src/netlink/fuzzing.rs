//! Any bytes as the kernel's answers over netlink: cutting and reading them ends, and what is understood and can be asked for reads the same when
//! it is. And as what comes when something is asked: whatever it is, the question ends with an answer or an error.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair};

use super::any::{decode, survives};
use super::diag::{self, TcpState};
use super::socket::{Datagram, Socket};
use super::{Device, Handle, Link, address, class, filter, qdisc, route};

thread_local! {
    /// What is still to come.
    static ANSWERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// See the module.
pub(crate) fn body(data: &[u8]) {
    for answer in decode(data).iter().flatten() {
        assert_ne!(survives(answer), Some(false), "{answer:?}");
    }
    let device = Device { index: 1, name: "v0" };
    asked(data, |socket| drop(Link::all(socket)));
    asked(data, |socket| drop(Link::named(socket, "v0")));
    asked(data, |socket| drop(address::all(socket)));
    asked(data, |socket| drop(route::default_link(socket)));
    asked(data, |socket| drop(qdisc::all(socket, device)));
    asked(data, |socket| drop(class::all(socket, device)));
    asked(data, |socket| drop(filter::entries(socket, device, Handle::ROOT, 1)));
    asked(data, |socket| drop(diag::tcp_of_both(socket, &[TcpState::Established])));
    asked(data, |socket| {
        drop(socket.perform_all(&[qdisc::add(device, &qdisc::Qdisc::ingress(), &super::Clock::USUAL)]))
    });
}

fn asked(data: &[u8], ask: impl FnOnce(&mut Socket)) {
    // What is asked goes to the other end, which nobody reads.
    let (ours, _kernels): (OwnedFd, OwnedFd) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    ANSWERS.set(numbered(data));
    ask(&mut Socket::reading(ours, read));
}

/// Answers to the first request, where they are answers.
fn numbered(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    let mut rest = &mut data[..];
    while let Some((length, _)) = rest.split_first_chunk() {
        let length = (u32::from_ne_bytes(*length) as usize).next_multiple_of(4);
        if length < 16 || length > rest.len() {
            break;
        }
        let (message, later) = rest.split_at_mut(length);
        message[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        rest = later;
    }
    data
}

/// In datagrams as large as they get, each as if of the kernel; then there is nothing more, however long one waits.
fn read(_: BorrowedFd<'_>, room: &mut [u8], _: MsgFlags) -> nix::Result<Datagram> {
    ANSWERS.with_borrow_mut(|answers| {
        if answers.is_empty() {
            return Err(nix::Error::EAGAIN);
        }
        let size = answers.len().min(room.len());
        room[..size].copy_from_slice(&answers[..size]);
        answers.drain(..size);
        Ok(Datagram { size, truncated: false, sender: 0 })
    })
}
