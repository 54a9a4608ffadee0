//! Waiting, while the command's streams are copied and signals are looked for.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::relay::Relay;
use super::say;
use super::signals::Signals;
use crate::error::{Error, Result};

/// After a signal, how long a reader that takes nothing is waited for until the rest of the output is given up.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The descriptor is readable or hung up.
    Ready,
    /// So much time has passed.
    Late,
    /// Somebody asked for the end, for the first time.
    Signal,
}

/// What goes on in the foreground.
pub(super) struct Session {
    signals: Signals,
    /// The signal that asked for the end. Later ones change nothing.
    caught: Option<i32>,
    relays: Vec<Relay>,
}

impl Session {
    pub(super) fn new(signals: Signals, relays: Vec<Relay>) -> Session {
        Session { signals, caught: None, relays }
    }

    /// The exit code if a signal asked for the end.
    pub(super) fn interrupted(&self) -> Option<i32> {
        self.caught.map(|signal| 128 + signal)
    }

    /// Copies until the descriptor, if there is one, is readable, or for `patience`, if there is a limit.
    ///
    /// # Errors
    /// Those of poll(2).
    pub(super) fn attend(&mut self, fd: Option<impl AsFd>, patience: Option<Duration>) -> Result<Event> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let fd = fd.as_ref().map(AsFd::as_fd);
            let round = self.poll(fd.map(|fd| PollFd::new(fd, PollFlags::POLLIN)), left)?;
            self.copy(&round.relays);
            if round.signal
                && let Some(signal) = self.signals.read()
            {
                self.caught = Some(signal);
                return Ok(Event::Signal);
            }
            if round.fd {
                return Ok(Event::Ready);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Event::Late);
            }
        }
    }

    /// Copies what is left of the output once the container has ended: all of it, however slow the reader is, unless a signal
    /// came and the reader takes nothing.
    pub(super) fn drain(&mut self) {
        self.relays.retain(|relay| !relay.is_input());
        loop {
            self.relays.iter_mut().for_each(Relay::fill_for_the_last_time);
            self.relays.retain(|relay| !relay.is_done());
            if self.relays.is_empty() {
                return;
            }
            match self.poll(None, self.caught.map(|_| LAST_PATIENCE)) {
                Ok(round) if round.is_idle() && self.caught.is_some() => return,
                Ok(round) => {
                    self.copy(&round.relays);
                    if round.signal {
                        self.caught = self.signals.read();
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn poll(&self, fd: Option<PollFd<'_>>, left: Option<Duration>) -> Result<Round> {
        // Rounded up, so that the last wait is not followed by many of zero milliseconds.
        let timeout = |left| PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let timeout = left.map_or(PollTimeout::NONE, timeout);
        let waits: Vec<_> = self.relays.iter().map(Relay::waits_for).collect();
        let signals = self.caught.is_none().then(|| PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        let of_relays = waits.iter().flat_map(|(from, to)| [from, to]);
        let all = [signals.as_ref(), fd.as_ref()].into_iter().chain(of_relays.map(Option::as_ref));
        let mut fds: Vec<PollFd<'_>> = all.clone().flatten().cloned().collect();
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(nix::Error::EINTR) => return Ok(Round::default()),
            Err(e) => return Err(Error::system("wait for the container")(e)),
        }
        let mut answers = fds.iter().map(|fd| fd.any().unwrap_or(false));
        // One for each place, those that are not polled included.
        let mut ready = all.map(|place| place.is_some() && answers.next().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        let (signal, fd) = (next(), next());
        let relays = waits.iter().map(|_| (next(), next())).collect();
        Ok(Round { signal, fd, relays })
    }

    fn copy(&mut self, ready: &[(bool, bool)]) {
        for (relay, (from, to)) in self.relays.iter_mut().zip(ready) {
            if let Err(e) = relay.go_on(*from, *to) {
                say(&format!("cannot pass on the command's {}: {e}", relay.name()));
            }
        }
        self.relays.retain(|relay| !relay.is_done());
    }
}

/// What one round of polling found.
#[derive(Default)]
struct Round {
    signal: bool,
    fd: bool,
    /// Of each relay: its source, its target.
    relays: Vec<(bool, bool)>,
}

impl Round {
    fn is_idle(&self) -> bool {
        !self.signal && !self.fd && !self.relays.iter().any(|(from, to)| *from || *to)
    }
}
