//! The pipes between the command and whoever called.
//!
//! The command never gets our own streams: one could be a terminal, by which it could push input to the caller's shell, and
//! the container would keep it after our end.
//!
//! Terminals and pipes that we write to are opened once more, since a write must not block: a terminal whose reader is stuck
//! takes less than it is asked to take, and in a blocked write nobody would hear a signal. The new descriptor may be made
//! non-blocking, as nobody shares it.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{isatty, pipe2};

use super::relay::Relay;
use crate::error::{Error, Result};
use crate::launcher::Streams;

/// The command's ends, and what copies between the other ends and our own streams. Without `stdin` the command has /dev/null.
pub(super) fn open(stdin: bool) -> Result<(Streams, Vec<Relay>)> {
    let mut relays = Vec::new();
    let (read, stdout) = pipe()?;
    relays.push(Relay::new("stdout", unblocked(read)?, output(&io::stdout())?));
    let (read, stderr) = pipe()?;
    relays.push(Relay::new("stderr", unblocked(read)?, output(&io::stderr())?));
    let stdin = if stdin {
        let (stdin, write) = pipe()?;
        relays.push(Relay::of_input(own(&io::stdin())?, unblocked(write)?));
        stdin
    } else {
        File::open("/dev/null").map_err(Error::path("open", "/dev/null"))?.into()
    };
    Ok((Streams { stdin, stdout, stderr }, relays))
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).map_err(Error::system("make a pipe"))
}

/// Our end only: the command expects a pipe like any other.
fn unblocked(end: OwnedFd) -> Result<OwnedFd> {
    fcntl(&end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(Error::system("set up a pipe"))?;
    Ok(end)
}

fn own(stream: &impl AsFd) -> Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned().map_err(Error::system("use a standard stream"))
}

/// One that does not block, where that can be had: what belongs to another user cannot be opened, and sockets never.
fn output(stream: &impl AsFd) -> Result<OwnedFd> {
    let stream = stream.as_fd();
    let is_pipe = fstat(stream).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFIFO);
    if is_pipe || isatty(stream).unwrap_or(false) {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        if let Ok(fd) = nix::fcntl::open(path.as_str(), flags, Mode::empty()) {
            return Ok(fd);
        }
    }
    own(&stream)
}
