//! Copies one stream, in its order, as soon as there is something, without ever being stuck in it.
//!
//! Our own streams stay as they are: they are shared with whoever called, so they must not be made non-blocking. One that does
//! block (`streams.rs` says why that may be) is asked anew before each write, and gets pieces that a pipe takes whole once it says
//! that it takes any.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::unistd::{read, write};

/// What a pipe holds.
const BUFFER: usize = 64 << 10;
/// PIPE_BUF: a pipe that is ready takes so much without blocking.
const PIECE: usize = 4096;

/// One direction of one stream.
pub(super) struct Relay {
    /// The stream's name, for messages.
    name: &'static str,
    /// Of the command's input and not of its output.
    is_input: bool,
    /// None: it has ended.
    from: Option<OwnedFd>,
    /// None: nobody reads it any more, or all is written.
    to: Option<OwnedFd>,
    /// A write to it may block.
    may_block: bool,
    buffer: Vec<u8>,
    /// What of the buffer is still to be written: from here to its end.
    written: usize,
}

impl Relay {
    /// From the command's pipe `from`, which does not block, to a stream of our own.
    pub(super) fn new(name: &'static str, from: OwnedFd, to: OwnedFd) -> Relay {
        // Files always take what they are given.
        let is_file = fstat(&to).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFREG);
        let flags = fcntl(&to, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
        let may_block = !is_file && !flags.is_ok_and(|flags| flags.contains(OFlag::O_NONBLOCK));
        Relay { name, is_input: false, from: Some(from), to: Some(to), may_block, buffer: Vec::new(), written: 0 }
    }

    /// From our own stdin to the command's pipe `to`, which does not block.
    pub(super) fn of_input(from: OwnedFd, to: OwnedFd) -> Relay {
        Relay { is_input: true, ..Relay::new("stdin", from, to) }
    }

    /// Whether this is the command's input.
    pub(super) fn is_input(&self) -> bool {
        self.is_input
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_done(&self) -> bool {
        self.to.is_none()
    }

    fn is_empty(&self) -> bool {
        self.written == self.buffer.len()
    }

    /// What it waits for: the source and the target, each if it waits for it.
    pub(super) fn waits_for(&self) -> (Option<PollFd<'_>>, Option<PollFd<'_>>) {
        let events = if self.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
        // With nothing to write it still is told, by POLLERR, that nobody reads any more.
        let to = self.to.as_ref().map(|to| PollFd::new(to.as_fd(), events));
        let from = self.from.as_ref().filter(|_| self.is_empty() && to.is_some());
        (from.map(|from| PollFd::new(from.as_fd(), PollFlags::POLLIN)), to)
    }

    /// Goes on after polling said that the source or the target is ready. A failure ends it.
    ///
    /// # Errors
    /// When the target does not take it, for another reason than that nobody reads it.
    pub(super) fn go_on(&mut self, from_is_ready: bool, to_is_ready: bool) -> io::Result<()> {
        if self.is_empty() {
            if to_is_ready {
                self.close();
            } else if from_is_ready {
                self.fill();
            }
            return Ok(());
        }
        if to_is_ready { self.flush() } else { Ok(()) }
    }

    /// Takes what is in the command's pipe now for all that will come: the container has ended, and whoever else may have
    /// the pipe's other end is not part of it.
    pub(super) fn fill_for_the_last_time(&mut self) {
        if self.is_empty() && self.from.is_some() && !self.fill() {
            self.close();
        }
    }

    /// Reads once; false if there is nothing now.
    fn fill(&mut self) -> bool {
        let Some(from) = &self.from else { return false };
        self.buffer.resize(BUFFER, 0);
        self.written = 0;
        let got = read(from, &mut self.buffer);
        self.buffer.truncate(got.unwrap_or(0));
        match got {
            Ok(0) => self.close(),
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EINTR) => return false,
            // A terminal that was hung up, say: nothing more will come of it.
            Err(_) => self.close(),
        }
        true
    }

    /// Writes once.
    fn flush(&mut self) -> io::Result<()> {
        let Some(to) = &self.to else { return Ok(()) };
        let mut rest = self.buffer.get(self.written..).unwrap_or_default();
        if self.may_block {
            // The room may be gone by now: stdout and stderr are often one pipe.
            let ready = poll(&mut [PollFd::new(to.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO);
            if !ready.is_ok_and(|ready| ready > 0) {
                return Ok(());
            }
            rest = &rest[..rest.len().min(PIECE)];
        }
        match write(to, rest) {
            Ok(wrote) => {
                self.written += wrote;
                Ok(())
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
            Err(errno) => {
                self.close();
                if errno == Errno::EPIPE { Ok(()) } else { Err(errno.into()) }
            }
        }
    }

    /// Ends it. The command's pipe is closed with it, so that the command sees the end of its input or gets SIGPIPE, as it
    /// would if it had our stream itself.
    fn close(&mut self) {
        (self.from, self.to) = (None, None);
        self.buffer = Vec::new();
        self.written = 0;
    }

    /// The stream's name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

#[cfg(test)]
mod tests;
