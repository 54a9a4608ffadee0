//! Answers that a kernel gives seldom: the other end is a script, which is written before anything is asked.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair, sockopt};
use nix::sys::time::TimeVal;

use crate::netlink::Bad;
use crate::netlink::message::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, Request};
use crate::netlink::socket::{Datagram, Socket};
use crate::netlink::writer::Writer;

const ITEM: u16 = 16;
const NLM_F_MULTI: u16 = 2;

/// A socket, and whoever answers it.
fn pair() -> (Socket, OwnedFd) {
    let (ours, kernels) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    setsockopt(&ours, sockopt::ReceiveTimeout, &TimeVal::new(0, 200_000)).unwrap();
    (Socket::reading(ours, read), kernels)
}

/// A datagram of the script begins with whose it is.
fn read(socket: BorrowedFd<'_>, room: &mut [u8], how: MsgFlags) -> nix::Result<Datagram> {
    let mut all = vec![0; 100 << 10];
    let length = recv(socket.as_raw_fd(), &mut all, how)? - 4;
    let size = length.min(room.len());
    room[..size].copy_from_slice(&all[4..4 + size]);
    Ok(Datagram { size, truncated: size < length, sender: u32::from_ne_bytes(*all.first_chunk().unwrap()) })
}

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

fn item(sequence: u32, flags: u16, value: u32) -> Vec<u8> {
    message(ITEM, NLM_F_MULTI | flags, sequence, &value.to_ne_bytes())
}

fn done(sequence: u32) -> Vec<u8> {
    message(NLMSG_DONE, NLM_F_MULTI, sequence, &[0; 4])
}

/// An acknowledgement, or a refusal.
fn answer(sequence: u32, errno: i32) -> Vec<u8> {
    message(NLMSG_ERROR, 0, sequence, &[&(-errno).to_ne_bytes()[..], &[0; 16]].concat())
}

/// One datagram of the kernel's for each.
fn say(kernel: &OwnedFd, datagrams: &[Vec<u8>]) {
    say_as(0, kernel, datagrams);
}

fn say_as(sender: u32, end: &OwnedFd, datagrams: &[Vec<u8>]) {
    for datagram in datagrams {
        let datagram = [&sender.to_ne_bytes()[..], datagram].concat();
        send(end.as_raw_fd(), &datagram, MsgFlags::empty()).unwrap();
    }
}

fn number(body: &[u8]) -> Result<Option<u32>, Bad> {
    Ok(body.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)))
}

fn list(socket: &mut Socket) -> crate::error::Result<Vec<u32>> {
    socket.list(&Request::list(ITEM, Writer::default(), "list", "things".to_owned()), number)
}

fn get(socket: &mut Socket) -> crate::error::Result<Option<u32>> {
    socket.get(&Request::get(ITEM, Writer::default(), "ask for", "a thing".to_owned()), number)
}

fn change(object: &str) -> Request<'static> {
    Request::change(ITEM, 0, Writer::default(), "change", object.to_owned())
}

#[test]
fn a_list_of_several_parts_is_read_to_its_end() {
    let (mut socket, kernel) = pair();
    say(&kernel, &[[item(1, 0, 5), item(1, 0, 6)].concat(), item(1, 0, 7), [item(1, 0, 8), done(1)].concat()]);
    say(&kernel, &[[item(2, 0, 9), done(2)].concat()]);
    assert_eq!(list(&mut socket).unwrap(), [5, 6, 7, 8]);
    assert_eq!(list(&mut socket).unwrap(), [9], "nothing of the first is left");
}

#[test]
fn a_list_without_an_end_is_none() {
    let (mut socket, kernel) = pair();
    say(&kernel, &[item(1, 0, 5)]);
    assert_eq!(list(&mut socket).unwrap_err().errno(), Some(libc::EAGAIN));
}

#[test]
fn answers_to_what_was_asked_earlier_do_not_count() {
    let (mut socket, kernel) = pair();
    say(&kernel, &[[item(7, 0, 5), done(7)].concat(), [item(1, 0, 6), item(0, 0, 7), done(1)].concat()]);
    assert_eq!(list(&mut socket).unwrap(), [6]);
    say(&kernel, &[item(1, 0, 5), answer(1, libc::EPERM), item(2, 0, 6)]);
    assert_eq!(get(&mut socket).unwrap(), Some(6));
    say(&kernel, &[answer(2, libc::EPERM), [answer(4, libc::EEXIST), answer(3, 0)].concat(), answer(5, 0)]);
    let results = socket.perform_each(&[change("a"), change("b"), change("c")]);
    let errors: Vec<Option<i32>> = results.iter().map(|result| result.as_ref().err().and_then(|e| e.errno())).collect();
    assert_eq!(errors, [None, Some(libc::EEXIST), None]);
}

#[test]
fn a_list_that_somebody_changed_meanwhile_is_read_again() {
    let (mut socket, kernel) = pair();
    // It may be said with any part.
    say(&kernel, &[[item(1, NLM_F_DUMP_INTR, 5), item(1, 0, 6), done(1)].concat()]);
    say(&kernel, &[[item(2, 0, 5), message(NLMSG_DONE, NLM_F_DUMP_INTR, 2, &[0; 4])].concat()]);
    say(&kernel, &[[item(3, 0, 6), done(3)].concat()]);
    assert_eq!(list(&mut socket).unwrap(), [6]);
}

#[test]
fn a_list_that_is_always_changed_is_given_up() {
    let (mut socket, kernel) = pair();
    let parts: Vec<Vec<u8>> = (1..=40).map(|n| [item(n, NLM_F_DUMP_INTR, 5), done(n)].concat()).collect();
    say(&kernel, &parts);
    let error = list(&mut socket).unwrap_err().to_string();
    assert!(error.contains("it changes faster than it can be read"), "{error}");
}

#[test]
fn an_answer_that_does_not_fit_is_not_taken_for_a_shorter_one() {
    let (mut socket, kernel) = pair();
    let long = (0..3000).flat_map(|value| item(1, 0, value)).collect::<Vec<u8>>();
    assert!(long.len() > 32 << 10);
    say(&kernel, &[long, done(1)]);
    let error = list(&mut socket).unwrap_err().to_string();
    assert!(error.contains("longer than 32 KiB"), "{error}");
    // And the rest of it is out of the way.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                recv(kernel.as_raw_fd(), &mut [0; 100], MsgFlags::empty()).unwrap();
            }
            say(&kernel, &[[item(2, 0, 5), done(2)].concat()]);
        });
        assert_eq!(list(&mut socket).unwrap(), [5]);
    });
}

#[test]
fn only_the_kernel_is_believed() {
    let (mut socket, kernel) = pair();
    let strangers = |number: u32| [item(number, 0, 5), answer(number, libc::EPERM), done(number)].concat();
    say_as(77, &kernel, &[strangers(1)]);
    say(&kernel, &[[item(1, 0, 6), done(1)].concat()]);
    assert_eq!(list(&mut socket).unwrap(), [6]);
    say_as(77, &kernel, &[strangers(2)]);
    say(&kernel, &[item(2, 0, 7)]);
    assert_eq!(get(&mut socket).unwrap(), Some(7));
    say_as(77, &kernel, &[strangers(3)]);
    say(&kernel, &[answer(3, 0)]);
    socket.perform(&change("a")).unwrap();
}
