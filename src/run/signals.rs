//! The signals by which somebody ends a command in the foreground, as a descriptor.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{Error, Result};
use crate::sys;

const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Signals that are read when there is time for them.
pub(super) struct Signals(SignalFd);

impl Signals {
    /// From now on none of them ends this process. One that the caller has set to be ignored stays ignored: `nohup` does that,
    /// and shells do for commands in the background.
    pub(super) fn catch() -> Result<Signals> {
        let set: SigSet = ENDING.into_iter().filter(|signal| !sys::is_ignored(*signal as i32)).collect();
        set.thread_block().map_err(Error::system("block signals"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags).map(Signals).map_err(Error::system("open a signalfd"))
    }

    /// The number of one that came.
    pub(super) fn read(&self) -> Option<i32> {
        self.0.read_signal().ok().flatten().map(|signal| signal.ssi_signo as i32)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
