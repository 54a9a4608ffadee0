//! What the supervisor polls for a container: the time of the next look, and what a look has found.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::unistd::read;

use super::listeners::Found;
use super::looker::Looker;
use super::set::PortSet;
use crate::error::{Error, Result};
use crate::isolator::{Container, Watch};
use crate::sys::{set_timer, timer};

/// Who takes longer is not given any time by the host, or hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between looks, or in one.
#[derive(Debug)]
pub(super) struct Looking {
    /// Is ready when one of the two others is.
    all: Epoll,
    timer: OwnedFd,
    looker: Option<Looker>,
    /// With a look.
    patience: Duration,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Event {
    /// Nothing.
    Nothing,
    /// The time for a look.
    Due,
    /// What was found.
    Found(Found),
}

impl Looking {
    /// The first look is due after `first`.
    ///
    /// # Errors
    /// Want of descriptors or memory.
    pub(super) fn new(first: Duration) -> Result<Looking> {
        Looking::with(PATIENCE, first)
    }

    fn with(patience: Duration, first: Duration) -> Result<Looking> {
        let failed = "make ready to look at ports";
        let timer = timer().map_err(Error::system(failed))?;
        let all = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Error::system(failed))?;
        all.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(Error::system(failed))?;
        let looking = Looking { all, timer, looker: None, patience };
        looking.wake_after(first)?;
        Ok(looking)
    }

    /// To be polled; then [`Looking::next`] has something.
    ///
    /// # Errors
    /// Want of descriptors.
    pub(super) fn watch(&self) -> Result<Watch> {
        let fd = self.all.0.try_clone().map_err(Error::system("duplicate a descriptor"))?;
        Ok(Watch { fd, events: PollFlags::POLLIN })
    }

    /// What has come.
    ///
    /// # Errors
    /// The look has failed.
    pub(super) fn next(&self) -> Result<Event> {
        let expired = read(&self.timer, &mut [0; 8]).is_ok();
        let Some(looker) = &self.looker else { return Ok(if expired { Event::Due } else { Event::Nothing }) };
        match looker.found()? {
            Some(found) => Ok(Event::Found(found)),
            None if expired => Err(Error::Refused(format!(
                "the process that looks at ports has found nothing out for {:?} and is killed: is the host overloaded?",
                self.patience
            ))),
            None => Ok(Event::Nothing),
        }
    }

    /// Begins a look for these ports.
    ///
    /// # Errors
    /// Want of descriptors, memory or processes.
    pub(super) fn begin(&mut self, container: &Container<'_>, ports: &PortSet) -> Result<()> {
        self.await_report(Looker::start(container, ports)?)
    }

    fn await_report(&mut self, looker: Looker) -> Result<()> {
        let polled = self.all.add(looker.fd(), EpollEvent::new(EpollFlags::EPOLLIN, 1));
        polled.map_err(Error::system("wait for a report about ports"))?;
        self.looker = Some(looker);
        self.wake_after(self.patience)
    }

    /// Ends the look. The next one is due after `interval`.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn pause(&mut self, interval: Duration) -> Result<()> {
        self.looker = None;
        self.wake_after(interval)
    }

    fn wake_after(&self, time: Duration) -> Result<()> {
        set_timer(self.timer.as_fd(), time).map_err(Error::system("set a timer"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::poll::{PollFd, PollTimeout, poll};
    use std::os::unix::process::ExitStatusExt;

    /// Waits until something has come.
    fn next(looking: &Looking) -> Result<Event> {
        let watch = looking.watch().unwrap();
        assert_eq!(poll(&mut [PollFd::new(watch.fd.as_fd(), watch.events)], PollTimeout::from(20_000_u16)), Ok(1));
        looking.next()
    }

    #[test]
    fn a_looker_that_is_killed_is_not_waited_for() {
        let mut looking = Looking::with(Duration::from_secs(1000), Duration::from_secs(1000)).unwrap();
        let (looker, mut process) = Looker::idle();
        looking.await_report(looker).unwrap();
        assert!(matches!(looking.next(), Ok(Event::Nothing)));
        process.kill().unwrap();
        let error = next(&looking).unwrap_err().to_string();
        assert!(error.contains("was killed"), "{error}");
        process.wait().unwrap();
        looking.pause(Duration::ZERO).unwrap();
        assert!(matches!(next(&looking), Ok(Event::Due)), "the next one is due");
    }

    #[test]
    fn a_looker_that_is_stopped_is_given_up_and_killed() {
        let mut looking = Looking::with(Duration::from_millis(100), Duration::from_secs(1000)).unwrap();
        let (looker, mut process) = Looker::idle();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(process.id() as i32), nix::sys::signal::SIGSTOP).unwrap();
        looking.await_report(looker).unwrap();
        let error = next(&looking).unwrap_err().to_string();
        assert!(error.contains("nothing out for 100ms and is killed"), "{error}");
        looking.pause(Duration::ZERO).unwrap();
        assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert!(matches!(next(&looking), Ok(Event::Due)), "the next one is due");
    }
}
