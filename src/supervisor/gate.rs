//! Waiting during a launch: for one thing, and at the same time for all that calls the launch off.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;

use crate::container::ContainerDir;
use crate::error::{Error, Result};

/// What calls a launch off.
#[derive(Debug)]
pub struct Gate<'a> {
    /// To launch; it hangs up when launch is gone.
    pub channel: &'a UnixStream,
    /// SIGUSR1 says that the state directory has news.
    pub signals: &'a SignalFd,
    /// Where destroy leaves its mark.
    pub dir: &'a ContainerDir,
}

impl Gate<'_> {
    /// Whether the launch may go on.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when destroy asked for the end.
    pub fn check(&self) -> Result<()> {
        if self.dir.is_destroy_requested() {
            return Err(Error::Cancelled("destroy asked for the container's end"));
        }
        Ok(())
    }

    /// Waits until `fd` is readable or hung up.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Refused`] with `what` when it takes longer than `patience`.
    pub fn wait(&self, fd: BorrowedFd<'_>, patience: Duration, what: &str) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            self.check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [
                PollFd::new(fd, PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.channel.as_fd(), PollFlags::POLLIN),
            ];
            // Rounded up, so that the last wait is not followed by a hundred of zero milliseconds.
            let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            match poll(&mut fds, timeout) {
                Ok(0) if left.is_zero() => {
                    return Err(Error::Refused(format!("{what} took longer than {patience:?}")));
                }
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(e) => return Err(Error::system("wait during the launch")(e)),
            }
            let ready = |n: usize| fds.get(n).and_then(PollFd::any).unwrap_or(false);
            if ready(0) {
                return Ok(());
            }
            if ready(1) {
                while let Ok(Some(_)) = self.signals.read_signal() {}
            }
            // Launch sends nothing before it ends.
            if ready(2) {
                return Err(Error::Cancelled("the launch process is gone"));
            }
        }
    }
}
