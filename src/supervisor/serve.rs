//! The poll loop: from the running command to its end.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::end::{end, undo};
use super::start::Signals;
use super::{Charge, Outcome, status};
use crate::isolator::{Watch, Watched};
use crate::step::step;
use crate::sys::{Pidfd, reap_child};

/// What the first process is to this one.
pub(super) enum First {
    /// A child: SIGCHLD says that it ended, and reaping gives its status.
    Child,
    /// A stranger that was taken over: its pidfd says that it ended, the kernel what its status was, if it keeps it. None:
    /// it ended before anybody could open it.
    Stranger(Option<Pidfd>),
}

/// What the loop waits for.
pub(super) struct Serving {
    /// To launch, until it has committed or died.
    pub(super) channel: Option<UnixStream>,
    /// SIGCHLD and SIGUSR1.
    pub(super) signals: Signals,
    /// The first process.
    pub(super) first: First,
}

/// What one round of polling found.
#[derive(Default)]
struct Round {
    signal: bool,
    hung_up: bool,
    stranger_ended: bool,
    watches: Vec<usize>,
}

impl Serving {
    /// Serves the container until it has ended; returns the exit code. `settled` runs once the launch is committed.
    pub(super) fn run(mut self, charge: Charge, mut outcome: Outcome, settled: impl FnOnce()) -> i32 {
        let mut settled = Some(settled);
        let mut ending = false;
        let mut watches = Vec::new();
        let mut watched = false;
        // A wait during the launch reads signals away: perhaps that of a command that ended between its two looks.
        self.reap(&charge, &mut outcome);
        loop {
            if charge.dir.is_destroy_requested() {
                ending = true;
                // A launch that has not committed by now is called off, even one that is stopped and does not hear of it.
                self.channel = None;
            }
            if self.channel.is_none()
                && let Some(settled) = settled.take()
            {
                if !charge.dir.is_committed() {
                    return undo(&charge, |_| {}).map_or(1, |()| 0);
                }
                settled();
            }
            if !watched && self.channel.is_none() {
                let resources = charge.resources();
                watches = charge.set.watch(&charge.dir, &charge.running(&resources), |e| charge.dir.log(&e));
                watched = true;
            }
            ending |= outcome.status.is_some() || outcome.no_status.is_some() || outcome.decided.is_some();
            if ending && self.channel.is_none() {
                self.last_words(&charge, &mut watches, &mut outcome);
                let stranger = match &self.first {
                    First::Stranger(pidfd) => pidfd.as_ref(),
                    First::Child => None,
                };
                end(&charge, &mut outcome, stranger);
                return 0;
            }
            let round = self.poll(&watches);
            if round.hung_up {
                self.channel = None;
            }
            if round.signal {
                while let Ok(Some(_)) = self.signals.0.read_signal() {}
                self.reap(&charge, &mut outcome);
            }
            if round.stranger_ended
                && let First::Stranger(pidfd) = &mut self.first
            {
                outcome.status = pidfd.take().and_then(|fd| status::of_stranger(&charge, &fd));
                outcome.no_status = outcome.status.is_none().then_some(status::LOST);
                if outcome.status.is_some() {
                    outcome.note(&charge);
                }
            }
            ending |= call_ready(&charge, &mut watches, round.watches, &mut outcome);
        }
    }

    fn poll(&self, watches: &[(usize, Watch)]) -> Round {
        let mut fds = vec![PollFd::new(self.signals.0.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.channel.as_ref().map(|c| PollFd::new(c.as_fd(), PollFlags::POLLIN)));
        let stranger = match &self.first {
            First::Stranger(Some(pidfd)) => Some(PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)),
            _ => None,
        };
        fds.extend(stranger);
        let own = fds.len();
        fds.extend(watches.iter().map(|(_, w)| PollFd::new(w.fd.as_fd(), w.events)));
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            // EINTR; of the others none can happen with valid descriptors, and looking once more does no harm.
            return Round { signal: true, ..Round::default() };
        }
        let ready = |n: usize| fds.get(n).and_then(PollFd::any).unwrap_or(false);
        let channel = self.channel.is_some();
        Round {
            signal: ready(0),
            hung_up: channel && ready(1),
            stranger_ended: own > 1 + usize::from(channel) && ready(own - 1),
            watches: (own..fds.len()).filter(|n| ready(*n)).map(|n| n - own).collect(),
        }
    }

    /// Reaps what has ended: orphans of the container, helpers, and the first process itself.
    fn reap(&self, charge: &Charge, outcome: &mut Outcome) {
        // It takes the status from the kernel, which has it no more.
        while let Ok(Some((pid, status))) = step("reap", reap_child) {
            // Only once: after that the pid may be another's.
            let first = outcome.status.is_none() && charge.checkpoint.first.as_ref().is_some_and(|f| f.pid == pid);
            if first && matches!(self.first, First::Child) {
                outcome.status = Some(status::of_first(charge, status));
                outcome.note(charge);
            }
        }
    }

    /// A limit and the end may come at the same moment: the limit must not be lost.
    fn last_words(&self, charge: &Charge, watches: &mut Vec<(usize, Watch)>, outcome: &mut Outcome) {
        if !outcome.limitations.is_empty() || outcome.decided.is_some() {
            return;
        }
        let ready = {
            let mut fds: Vec<PollFd<'_>> = watches.iter().map(|(_, w)| PollFd::new(w.fd.as_fd(), w.events)).collect();
            match poll(&mut fds, PollTimeout::ZERO) {
                Ok(_) => (0..fds.len()).filter(|n| fds.get(*n).and_then(PollFd::any).unwrap_or(false)).collect(),
                Err(_) => Vec::new(),
            }
        };
        if !call_ready(charge, watches, ready, outcome) {
            let resources = charge.resources();
            let container = charge.running(&resources);
            outcome.limitations = charge.set.verdicts(&charge.dir, &container, |e| charge.dir.log(&e));
        }
    }
}

/// Between two tries while the host is short of descriptors or memory.
const SHORTAGE: Duration = Duration::from_millis(100);

/// Calls the isolators whose descriptors are ready; says whether one of them ends the container.
fn call_ready(charge: &Charge, watches: &mut Vec<(usize, Watch)>, ready: Vec<usize>, outcome: &mut Outcome) -> bool {
    let mut limited = false;
    if ready.is_empty() {
        return limited;
    }
    let resources = charge.resources();
    let container = charge.running(&resources);
    // From the last to the first, so that removing one does not move the others.
    for at in ready.into_iter().rev() {
        let Some((number, watch)) = watches.get(at) else {
            continue;
        };
        let done = match charge.set.ready(*number, &charge.dir, &container, watch.fd.as_fd()) {
            Ok(Watched::Continue | Watched::Figures(_)) => false,
            Ok(Watched::Done) => true,
            Ok(Watched::Limited(limitation)) => {
                outcome.limitations.insert(0, limitation);
                limited = true;
                true
            }
            // Its descriptor stays ready: it is asked again, but not a thousand times a second.
            Err(e) if e.is_shortage() => {
                std::thread::sleep(SHORTAGE);
                false
            }
            Err(e) => {
                charge.dir.log(&e.to_string());
                true
            }
        };
        if done {
            watches.remove(at);
        }
    }
    limited
}
