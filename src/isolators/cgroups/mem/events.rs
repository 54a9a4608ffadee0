//! v1 tells of events by eventfds (kernel document cgroup-v1/memory, "OOM Control" and "Memory Pressure").
//!
//! One on our own `memory.oom_control` tells when this cgroup has run out of memory, when any above it has, and when it was
//! removed; never of those below. One on that of the cgroup above tells of all above, before ours does. So what ours
//! tells beyond that is our own limit's, if the cgroup is still there. It is told before a process is killed.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::counters::{Counters, OOM_CONTROL, was_met};
use super::figures::Figures;
use crate::cgroup::{Cgroup, keyed};
use crate::error::{Error, Result};
use crate::isolator::Watch;

/// Under pressure events come by the hundred a second. The kernel counts them; they are read this often.
const INTERVAL: Duration = Duration::from_millis(500);

/// An out-of-memory end may have been told just before anybody listened, and its kill comes only after the kernel's report of
/// it, which takes so long at most on a slow console.
const DOUBT: Duration = Duration::from_secs(5);

const LEVELS: [&str; 3] = ["low", "medium", "critical"];

/// What is registered for one cgroup.
#[derive(Debug)]
pub(super) struct Events {
    cgroup: Cgroup,
    own: EventFd,
    above: EventFd,
    /// How much more often `own` has told something than `above`.
    ours: i64,
    /// Low, medium, critical; each also tells of those above it.
    levels: [EventFd; 3],
    /// Ready for `own`, for `levels[0]` once, and for `again`.
    all: Epoll,
    /// For the next look at the levels.
    again: TimerFd,
    figures: Figures,
    /// The limit was met before anybody listened: until then a kill beyond these counters is taken for its doing.
    doubt: Option<(Counters, Instant)>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    /// To be published.
    New(Figures),
    /// The container ran into its own limit.
    OutOfMemory,
    /// The cgroup has been removed.
    Gone,
}

impl Events {
    /// Registers for all, going on from the figures that were published. An out-of-memory end since then is told, too.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn open(cgroup: Cgroup, figures: Figures) -> Result<Events> {
        let parent = cgroup.path().join("..");
        // The one above first: ours must never tell of what that one has missed.
        let above = register(&Cgroup::open(parent)?, OOM_CONTROL, "")?;
        let own = register(&cgroup, OOM_CONTROL, "")?;
        // The kernel tells the last one registered first, and they are read in the other order: so low never lags behind.
        let [low, medium, critical] = LEVELS;
        let critical = register(&cgroup, "memory.pressure_level", critical)?;
        let medium = register(&cgroup, "memory.pressure_level", medium)?;
        let low = register(&cgroup, "memory.pressure_level", low)?;
        let failed = "watch for memory events";
        let all = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Error::system(failed))?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let again = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(Error::system(failed))?;
        all.add(&own, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(Error::system(failed))?;
        all.add(&low, once()).map_err(Error::system(failed))?;
        all.add(&again, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(Error::system(failed))?;
        let levels = [low, medium, critical];
        let mut events = Events { cgroup, own, above, ours: 0, levels, all, again, figures, doubt: None };
        events.catch_up()?;
        Ok(events)
    }

    /// Looks at what nobody was watching for, and makes sure that processes get killed and not put to sleep, which a
    /// cgroup inherits from the one above.
    fn catch_up(&mut self) -> Result<()> {
        let before = self.figures.counters;
        let now = Counters::read_all(&self.cgroup)?;
        if now.tell_of_oom_since(&before) {
            self.own.write(1).map_err(Error::system("note an out-of-memory event"))?;
        } else if now.tell_of_limit_since(&before) {
            self.doubt = Some((before, Instant::now() + DOUBT));
            self.look_again()?;
        }
        if keyed(&self.cgroup.read(OOM_CONTROL)?, "oom_kill_disable") == Some(1) {
            self.cgroup.write(OOM_CONTROL, "0")?;
        }
        Ok(())
    }

    fn look_again(&self) -> Result<()> {
        let after = Expiration::OneShot(TimeSpec::from_duration(INTERVAL));
        self.again.set(after, TimerSetTimeFlags::empty()).map_err(Error::system("set a timer for memory events"))
    }

    /// What is to be polled for [`Events::look`].
    ///
    /// # Errors
    /// EMFILE.
    pub(super) fn watch(&self) -> Result<Watch> {
        let fd = self.all.0.try_clone().map_err(Error::system("watch for memory events"))?;
        Ok(Watch { fd, events: PollFlags::POLLIN })
    }

    /// Whether a look may find more than was told.
    fn in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whose they are.
    pub(super) fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Takes in what the kernel has told.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn look(&mut self) -> Result<Seen> {
        // Before the events: what they do not tell of then is behind these numbers neither.
        let read = if self.in_doubt() { Counters::read_all } else { Counters::read };
        let counters = match read(&self.cgroup) {
            Err(_) if !self.cgroup.exists() => return Ok(Seen::Gone),
            counters => counters?,
        };
        // Ours before the one above, which the kernel tells first.
        let (own, above) = (told(&self.own)?, told(&self.above)?);
        self.ours = self.ours.saturating_add_unsigned(own).saturating_sub_unsigned(above);
        let doubted = self.doubt.filter(|_| above == 0).is_some_and(|(before, _)| counters.tell_of_oom_since(&before));
        if self.ours > 0 || doubted {
            if !self.cgroup.exists() {
                return Ok(Seen::Gone);
            }
            if was_met(&self.cgroup)? {
                return Ok(Seen::OutOfMemory);
            }
            self.ours = 0;
        }
        self.doubt = self.doubt.filter(|(_, until)| above == 0 && Instant::now() < *until);
        self.take_in(counters, own > 0)
    }

    /// With `again` it looks once more later, for the kills that follow what was told.
    fn take_in(&mut self, counters: Counters, again: bool) -> Result<Seen> {
        // Whoever takes over while there is doubt shall have it, too.
        let counters = self.doubt.map_or(counters, |(before, _)| before);
        let mut figures = Figures { counters, ..self.figures };
        for (count, level) in figures.pressure.iter_mut().zip(&self.levels).rev() {
            *count = count.saturating_add(told(level)?);
        }
        let new = figures != self.figures;
        self.figures = figures;
        if new || again || self.in_doubt() {
            self.look_again()?;
        } else {
            let failed = "watch for memory events";
            self.again.unset().map_err(Error::system(failed))?;
            self.all.modify(&self.levels[0], &mut once()).map_err(Error::system(failed))?;
        }
        Ok(if new { Seen::New(figures) } else { Seen::Nothing })
    }
}

/// Until it is armed again.
fn once() -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, 0)
}

/// How many events there were since the last look.
fn told(by: &EventFd) -> Result<u64> {
    match by.read() {
        Err(Errno::EAGAIN) => Ok(0),
        count => count.map_err(Error::system("read an eventfd")),
    }
}

fn register(cgroup: &Cgroup, file: &str, argument: &str) -> Result<EventFd> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let event = EventFd::from_flags(flags).map_err(Error::system("make an eventfd"))?;
    let control = cgroup.file(file, OFlag::O_RDONLY)?;
    let line = format!("{} {} {argument}", event.as_fd().as_raw_fd(), control.as_raw_fd());
    cgroup.write("cgroup.event_control", line.trim_end())?;
    Ok(event)
}
