//! What the supervisor polls for a container: the time of the next walk, and the walker's reports.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::unistd::read;

use super::quota::Place;
use super::turns::Turns;
use super::walker::{Report, Walker};
use crate::error::{Error, Result};
use crate::isolator::Watch;
use crate::sys::{set_timer, timer};

/// A walker that has its turn and reports nothing for so long hangs on a disk that does not answer. (What takes longer, but goes
/// on, reports at the end of each turn, which is much shorter.)
const PATIENCE: Duration = Duration::from_secs(60);

/// As good as for ever: how long it waits for its turn.
const LONG: Duration = Duration::from_secs(1 << 31);

/// Between walks, or in one.
#[derive(Debug)]
pub(super) struct Looking {
    /// Is ready when one of the two others is.
    all: Epoll,
    timer: OwnedFd,
    walk: Option<Walk>,
}

/// A walk under way.
#[derive(Debug)]
struct Walk {
    walker: Walker,
    places: Vec<Place>,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Event {
    /// Nothing.
    Nothing,
    /// The time for a walk.
    Due,
    /// How far it is.
    Report(Report),
    /// There will be no more reports, for this reason.
    Lost(Error),
}

impl Looking {
    /// The first walk is due after `first`.
    ///
    /// # Errors
    /// Want of descriptors or memory.
    pub(super) fn new(first: Duration) -> Result<Looking> {
        let failed = "make ready to look at disk usage";
        let timer = timer().map_err(Error::system(failed))?;
        let all = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Error::system(failed))?;
        all.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(Error::system(failed))?;
        let looking = Looking { all, timer, walk: None };
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
    /// The kernel's.
    pub(super) fn next(&mut self) -> Result<Event> {
        let expired = read(&self.timer, &mut [0; 8]).is_ok();
        let Some(walk) = &self.walk else { return Ok(if expired { Event::Due } else { Event::Nothing }) };
        match walk.walker.report() {
            Ok(Some(report)) => {
                self.wake_after(if report.waits { LONG } else { PATIENCE })?;
                Ok(Event::Report(report))
            }
            Ok(None) if expired => Ok(Event::Lost(Error::Refused(format!(
                "the process that looks at disk usage has reported nothing for {PATIENCE:?} and is killed: a disk does not answer"
            )))),
            Ok(None) => Ok(Event::Nothing),
            Err(e) => Ok(Event::Lost(e)),
        }
    }

    /// Begins a walk through these places.
    ///
    /// # Errors
    /// Want of descriptors, memory or processes.
    pub(super) fn walk(&mut self, places: Vec<Place>, turns: Turns) -> Result<()> {
        let walker = Walker::start(places.clone(), turns)?;
        let polled = self.all.add(walker.fd(), EpollEvent::new(EpollFlags::EPOLLIN, 1));
        polled.map_err(Error::system("wait for a report about disk usage"))?;
        self.walk = Some(Walk { walker, places });
        self.wake_after(LONG)
    }

    /// Those of the walk under way.
    pub(super) fn places(&self) -> &[Place] {
        self.walk.as_ref().map_or(&[], |walk| &walk.places)
    }

    /// Ends the walk. The next one is due after `interval`.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn pause(&mut self, interval: Duration) -> Result<()> {
        self.walk = None;
        self.wake_after(interval)
    }

    fn wake_after(&self, time: Duration) -> Result<()> {
        set_timer(self.timer.as_fd(), time).map_err(Error::system("set a timer"))
    }
}
