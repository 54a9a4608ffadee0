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
        let failed = "make ready to look at ports";
        let timer = timer().map_err(Error::system(failed))?;
        let all = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Error::system(failed))?;
        all.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(Error::system(failed))?;
        let looking = Looking { all, timer, looker: None };
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
                "the process that looks at ports has found nothing out for {PATIENCE:?} and is killed: is the host overloaded?"
            ))),
            None => Ok(Event::Nothing),
        }
    }

    /// Begins a look for these ports.
    ///
    /// # Errors
    /// Want of descriptors, memory or processes.
    pub(super) fn begin(&mut self, container: &Container<'_>, ports: &PortSet) -> Result<()> {
        let looker = Looker::start(container, ports)?;
        let polled = self.all.add(looker.fd(), EpollEvent::new(EpollFlags::EPOLLIN, 1));
        polled.map_err(Error::system("wait for a report about ports"))?;
        self.looker = Some(looker);
        self.wake_after(PATIENCE)
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
