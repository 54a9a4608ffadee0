//! Killing all that is in a cgroup and below it.
//!
//! v2 does it at a word (`cgroup.kill`, Linux 5.14). Else the freezer holds everything still meanwhile, so that nothing can
//! fork away. A pid from a list may be another process by the time it is killed: so it is opened first and then looked up
//! in the list once more, unless v1 holds all of them frozen and none can end.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill as send};
use nix::unistd::Pid;

use super::walk::walk;
use super::{Cgroup, freezer, keyed};
use crate::error::{Error, Result};
use crate::sys::Pidfd;

/// SIGKILL usually acts within a millisecond.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Freezing is for what does not get fewer for this long: where there is another way, and after it was done once. Doubled
/// each time.
const FREEZE_AFTER: Duration = Duration::from_millis(50);

/// The first time, and at most, that freezing is waited for: a task in the kernel, traced, or asleep for want of memory never
/// freezes, and holds up the others.
const FIRST_PATIENCE: Duration = Duration::from_millis(20);
const LONGEST_PATIENCE: Duration = Duration::from_secs(1);

/// So many processes are opened at a time: descriptors are limited.
const AT_A_TIME: usize = 128;

/// All pids in the cgroup and below it, as far as they can be listed.
pub fn pids(cgroup: &Cgroup) -> Vec<i32> {
    list(cgroup).0
}

/// All pids in the cgroup and below it, and whether that is all of them.
fn list(cgroup: &Cgroup) -> (Vec<i32>, bool) {
    let mut all = Vec::new();
    let visit = |cgroup: &Cgroup| {
        match cgroup.procs() {
            Ok(some) => all.extend(some),
            Err(e) if has_none(&e) => {}
            Err(e) => return Err(e),
        }
        Ok(())
    };
    let complete = walk(cgroup, visit, |_, _| {}).is_ok();
    (all, complete)
}

/// One that has been removed has no processes, and those of a threaded one of v2 are listed further up.
fn has_none(error: &Error) -> bool {
    error.is_not_found()
        || error.io().is_some_and(|e| matches!(e.raw_os_error(), Some(libc::ENODEV | libc::EOPNOTSUPP)))
}

/// Whether all that is in it can be killed at once: v2 of Linux 5.14.
pub fn dies_at_a_word(cgroup: &Cgroup) -> bool {
    cgroup.has("cgroup.kill")
}

/// Whether no process is in the cgroup and below it. Zombies do not count.
pub fn is_empty(cgroup: &Cgroup) -> bool {
    match cgroup.read("cgroup.events") {
        Ok(events) => keyed(&events, "populated") == Some(0),
        Err(_) => matches!(list(cgroup), (pids, true) if pids.is_empty()),
    }
}

/// The same, also where a process moves to and fro between the cgroups, so that a look at one after the other could miss it.
fn is_empty_for_sure(cgroup: &Cgroup) -> bool {
    let mut empty = is_empty(cgroup);
    if empty && cgroup.below().is_ok_and(|names| !names.is_empty()) && freezer::is_v1(cgroup) {
        freezer::while_frozen(cgroup, FIRST_PATIENCE, |_| empty = is_empty(cgroup));
    }
    empty
}

/// Kills until all of the cgroups (v2's first, where there are several) are empty. `between` is called between two looks.
/// False when they are not at the deadline.
pub fn kill(cgroups: &[Cgroup], deadline: Instant, mut between: impl FnMut()) -> bool {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut freezing = Freezing::default();
    let mut told = false;
    loop {
        let mut empty = true;
        for cgroup in cgroups {
            if is_empty_for_sure(cgroup) {
                continue;
            }
            empty = false;
            if dies_at_a_word(cgroup) {
                // Once is enough for all that is in it; what joins later is caught by the next but one round.
                if !std::mem::replace(&mut told, true) || begin.elapsed() > FREEZE_AFTER {
                    let _ = cgroup.write("cgroup.kill", "1");
                }
            } else if !freezer::can(cgroup) {
                kill_listed(cgroup, false);
            } else if freezing.is_due(pids(cgroup).len(), told) {
                let patience = freezing.patience(deadline);
                freezer::while_frozen(cgroup, patience, |all| kill_listed(cgroup, all && freezer::is_v1(cgroup)));
            }
        }
        between();
        if empty {
            return true;
        }
        if Instant::now() >= deadline {
            return cgroups.iter().all(is_empty);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// When to freeze. What is frozen cannot die either, so it is done once, and again only when that does not get any further.
struct Freezing {
    /// The fewest that were seen, and when.
    least: Option<(usize, Instant)>,
    hold_off: Duration,
    patience: Duration,
}

impl Default for Freezing {
    fn default() -> Freezing {
        Freezing { least: None, hold_off: FREEZE_AFTER, patience: FIRST_PATIENCE }
    }
}

impl Freezing {
    /// Whether it is time to, with so many left. `other_way`: they are being killed without it.
    fn is_due(&mut self, left: usize, other_way: bool) -> bool {
        let now = Instant::now();
        let due = match self.least {
            None => !other_way,
            Some((least, _)) if left < least => false,
            Some((_, since)) => {
                if now.duration_since(since) <= self.hold_off {
                    return false;
                }
                self.hold_off = (self.hold_off * 2).min(LONGEST_PATIENCE);
                true
            }
        };
        self.least = Some((left, now));
        due
    }

    /// How long to wait until all is frozen.
    fn patience(&mut self, deadline: Instant) -> Duration {
        let patience = self.patience.min(deadline.saturating_duration_since(Instant::now()));
        self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
        patience
    }
}

/// Sends SIGKILL to all processes in the cgroup and below it that are there before and after they are opened; to all at once
/// when they are held, so that none of the pids can come to mean another process.
pub(super) fn kill_listed(cgroup: &Cgroup, held: bool) {
    // What cannot be reached now is reached in the next round.
    let _ = walk(cgroup, |cgroup| kill_in(cgroup, held), |_, _| {});
}

fn kill_in(cgroup: &Cgroup, held: bool) -> Result<()> {
    let mut before = cgroup.procs().unwrap_or_default();
    // 0 is one that this process cannot see; to kill(2) it would mean something else.
    before.retain(|pid| *pid > 0);
    if held {
        for pid in before {
            // EPERM shows as what is left.
            let _ = send(Pid::from_raw(pid), Signal::SIGKILL);
        }
        return Ok(());
    }
    for some in before.chunks(AT_A_TIME) {
        let opened: Vec<(i32, Pidfd)> = some.iter().filter_map(|pid| Some((*pid, Pidfd::open(*pid).ok()?))).collect();
        let mut after = cgroup.procs().unwrap_or_default();
        after.sort_unstable();
        for (pid, process) in opened {
            if after.binary_search(&pid).is_ok() {
                // ESRCH: it has just died, as it should.
                let _ = process.kill(libc::SIGKILL);
            }
        }
    }
    Ok(())
}

/// For errors: what is still in there.
pub(super) fn left(cgroup: &Cgroup) -> Result<Vec<i32>> {
    cgroup.procs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freezing_comes_first_and_then_only_when_nothing_moves() {
        let mut freezing = Freezing::default();
        assert!(freezing.is_due(5, false), "the first time");
        assert!(!freezing.is_due(5, false), "they are dying");
        std::thread::sleep(FREEZE_AFTER * 2);
        assert!(!freezing.is_due(4, false), "it gets on");
        std::thread::sleep(FREEZE_AFTER * 2);
        assert!(freezing.is_due(4, false), "it does not");
        assert!(!Freezing::default().is_due(5, true), "there is another way");
    }
}
