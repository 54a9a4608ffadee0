//! Being interrupted: what was made on the host is removed first.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::apart;
use crate::sys::is_ignored;

/// SIGINT and SIGTERM, which are held back as long as this is there. What the caller ignores is ignored.
pub(super) struct Signals {
    held: SignalFd,
    mask: SigSet,
    came: Cell<Option<Signal>>,
}

impl Signals {
    /// None in a process with several threads, each of which has signals of its own.
    pub(super) fn hold() -> Option<Signals> {
        if !apart::is_possible() {
            return None;
        }
        let all = [Signal::SIGINT, Signal::SIGTERM].into_iter();
        let mask: SigSet = all.filter(|signal| !is_ignored(*signal as i32)).collect();
        let held = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).ok()?;
        mask.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok()?;
        Some(Signals { held, mask, came: Cell::new(None) })
    }

    /// For a forked process: it is not what has something to be removed.
    pub(super) fn let_through(&self) {
        let _ = self.mask.thread_unblock();
    }

    /// The one that has come.
    pub(super) fn came(&self) -> Option<Signal> {
        if let Ok(Some(info)) = self.held.read_signal() {
            self.came.set(Signal::try_from(info.ssi_signo as i32).ok());
        }
        self.came.get()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.let_through();
    }
}
