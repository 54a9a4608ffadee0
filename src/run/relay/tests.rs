//! Streams whose ends come, go and are slow.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Read, Write};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollTimeout, poll};
use nix::unistd::pipe2;

use super::*;

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe2(OFlag::O_CLOEXEC).unwrap()
}

fn unblocked(fd: OwnedFd) -> OwnedFd {
    fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    fd
}

/// Goes on for as long as something is ready at once.
fn pump(relay: &mut Relay) {
    loop {
        let (from, to) = relay.waits_for();
        let mut ready = [from, to].map(|fd| {
            let mut fds: Vec<PollFd<'_>> = fd.into_iter().collect();
            poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
        });
        if ready == [false, false] || relay.is_done() {
            return;
        }
        relay.go_on(std::mem::take(&mut ready[0]), ready[1]).unwrap();
    }
}

#[test]
fn what_comes_goes_out_at_once_and_in_order() {
    let ((from, command), (reader, to)) = (pipe(), pipe());
    let mut relay = Relay::new("stdout", unblocked(from), to);
    let (mut command, mut reader) = (File::from(command), File::from(reader));
    let mut line = [0; 2];
    for text in [b"a\n", b"b\n"] {
        command.write_all(text).unwrap();
        pump(&mut relay);
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, text);
    }
    drop(command);
    pump(&mut relay);
    assert!(relay.is_done());
    assert_eq!(reader.read(&mut line).unwrap(), 0, "our stream is closed here, too");
}

#[test]
fn a_slow_reader_is_waited_for_without_blocking() {
    let ((from, command), (reader, to)) = (pipe(), pipe());
    let mut relay = Relay::new("stdout", unblocked(from), to);
    let mut command = File::from(unblocked(command));
    let all: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    let mut reader = File::from(unblocked(reader));
    while got.len() < all.len() {
        sent += command.write(&all[sent..]).unwrap_or(0);
        // Both pipes full: it comes back all the same.
        pump(&mut relay);
        let mut some = [0; 10_000];
        let n = reader.read(&mut some).unwrap_or(0);
        got.extend_from_slice(&some[..n]);
    }
    assert!(got == all);
}

#[test]
fn room_that_somebody_else_has_taken_is_not_waited_for() {
    let ((from, command), (_reader, to)) = (pipe(), pipe());
    let mut other = File::from(unblocked_copy(&to));
    let mut relay = Relay::new("stdout", unblocked(from), to);
    File::from(command).write_all(b"x").unwrap();
    relay.go_on(true, false).unwrap();
    while other.write(&[0; 4096]).is_ok() {}
    // It was ready a moment ago.
    relay.go_on(false, true).unwrap();
    assert!(!relay.is_empty());
}

/// Of the pipe, not of the descriptor.
fn unblocked_copy(pipe: &OwnedFd) -> OwnedFd {
    use std::os::fd::AsRawFd;
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    nix::fcntl::open(format!("/proc/self/fd/{}", pipe.as_raw_fd()).as_str(), flags, nix::sys::stat::Mode::empty())
        .unwrap()
}

#[test]
fn the_command_hears_that_nobody_reads_even_while_it_is_silent() {
    let ((from, command), (reader, to)) = (pipe(), pipe());
    let mut relay = Relay::new("stdout", unblocked(from), to);
    pump(&mut relay);
    assert!(!relay.is_done());
    drop(reader);
    pump(&mut relay);
    assert!(relay.is_done());
    assert_eq!(File::from(command).write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn input_ends_with_its_source_or_with_the_command() {
    let ((source, input), (command, to)) = (pipe(), pipe());
    let mut relay = Relay::of_input(source, unblocked(to));
    File::from(input).write_all(b"all of it").unwrap();
    pump(&mut relay);
    let mut text = String::new();
    File::from(command).read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), relay.is_done()), ("all of it", true));

    let ((source, _input), (command, to)) = (pipe(), pipe());
    let mut relay = Relay::of_input(source, unblocked(to));
    drop(command);
    pump(&mut relay);
    assert!(relay.is_done());
}

#[test]
fn the_last_look_takes_what_is_there_and_waits_for_no_more() {
    let ((from, command), (reader, to)) = (pipe(), pipe());
    let mut relay = Relay::new("stdout", unblocked(from), to);
    let mut stranger = File::from(command);
    stranger.write_all(b"rest").unwrap();
    relay.fill_for_the_last_time();
    pump_output(&mut relay);
    relay.fill_for_the_last_time();
    assert!(relay.is_done());
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text, "rest");
}

fn pump_output(relay: &mut Relay) {
    while !relay.is_empty() {
        relay.go_on(false, true).unwrap();
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let (from, command) = pipe();
    let full = OwnedFd::from(File::options().write(true).open("/dev/full").unwrap());
    let mut relay = Relay::new("stdout", unblocked(from), full);
    File::from(command).write_all(b"x").unwrap();
    relay.go_on(true, false).unwrap();
    assert_eq!(relay.go_on(false, true).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    assert!(relay.is_done());
}
