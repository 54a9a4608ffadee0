//! The end of a container: kill what is left, clean up, write down how it ended. And undoing a launch that failed.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::{Charge, status};
use crate::cgroup::{Hierarchies, MOUNTINFO};
use crate::config::Config;
use crate::container::{ContainerDir, Lock, STATE_VERSION};
use crate::error::Result;
use crate::isolator::{Container, Limitation};
use crate::isolators::marks;
use crate::launcher::{Cgroups, Killed, kill_descendants, kill_first, kill_in_cgroups, kill_marked, kill_strangers};
use crate::proc::Proc;
use crate::protocol::mesos::TaskState;
use crate::protocol::mesos::containerizer::Termination;
use crate::protocol::state::{Checkpoint, Ended};
use crate::step::step;
use crate::sys::Pidfd;
use crate::weaken;

/// What is known of the end.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The first process's raw wait(2) status.
    pub status: Option<i32>,
    /// Why there is no status, for the Termination's message.
    pub no_status: Option<&'static str>,
    /// The limits that were exceeded.
    pub limitations: Vec<Limitation>,
    /// What a dead owner had found out before us, a limit among it.
    pub decided: Option<Termination>,
    /// Whether the status is written down.
    noted: bool,
}

/// The message of every end without a limitation, as the built-in containerizer's.
const TERMINATED: &str = "Executor terminated";

/// How long it is tried to remove the container's cgroups once its processes are gone: the kernel is done with them within
/// milliseconds, and processes that somebody else puts there are no reason to keep the container for ever.
const REMOVING: Duration = Duration::from_secs(5);

/// After the deadline killing goes on in such steps.
const AFTER_DEADLINE: Duration = Duration::from_secs(1);

impl Outcome {
    /// The record that every wait gets: `state` and `reasons` only when a limit was enforced, since the agent passes them
    /// on as the task's.
    pub fn termination(&self) -> Termination {
        if let Some(decided) = &self.decided {
            return Termination { status: self.status, ..decided.clone() };
        }
        let limited = !self.limitations.is_empty();
        let message = if limited {
            self.limitations.iter().map(|l| l.message.as_str()).collect::<Vec<_>>().join("; ")
        } else {
            match self.no_status.filter(|_| self.status.is_none()) {
                Some(why) => format!("{TERMINATED}; its exit status is not known: {why}"),
                None => TERMINATED.to_owned(),
            }
        };
        Termination {
            killed: limited,
            message: Some(message),
            status: self.status,
            state: limited.then_some(TaskState::TaskFailed as i32),
            reasons: self.limitations.iter().map(|l| l.reason).collect(),
        }
    }

    /// What a dead owner has noted. Without a limit in it the isolators had perhaps not been asked yet.
    pub(super) fn noted(ended: Option<Ended>) -> Outcome {
        let found = ended.map(|ended| ended.termination);
        let status = found.as_ref().and_then(|termination| termination.status);
        let decided = found.filter(|termination| termination.killed);
        Outcome { status, noted: status.is_some(), decided, ..Outcome::default() }
    }

    /// Writes down what is known, for whoever takes over: the kernel tells a status once.
    pub(super) fn note(&mut self, charge: &Charge) {
        // On a full disk the status is in this process's memory only, as before.
        let written = weaken::is("outcome") || charge.dir.write_outcome(&record(charge, self)).is_ok();
        // A limit is known before the status of the kill that follows.
        self.noted = written && self.status.is_some();
    }
}

/// Kills all processes of the container. The supervisor's own children give their status to `outcome`.
fn kill(charge: &Charge, outcome: &mut Outcome, deadline: Instant) -> Killed {
    let first = charge.checkpoint.first.as_ref();
    let ended = outcome.status.is_some();
    let mut reaped = |pid, status| {
        if first.is_some_and(|f| f.pid == pid) && outcome.status.is_none() {
            outcome.status = Some(status::of_first(charge, status));
        }
    };
    if let Some(first) = first.filter(|_| charge.checkpoint.pid_namespace() && !ended) {
        kill_first(&charge.proc, first, &charge.cgroups, deadline);
    }
    // Then whoever got out of them, which takes root.
    if charge.cgroups.tracks()
        && let Killed::Left(left) = kill_in_cgroups(&charge.proc, &charge.cgroups, deadline, &mut reaped)
    {
        return Killed::Left(left);
    }
    let killed = if charge.checkpoint.adopted() {
        kill_strangers(&charge.proc, charge.dir.id(), first, deadline)
    } else {
        kill_descendants(&charge.proc, deadline, reaped)
    };
    match (killed, &charge.checkpoint.mark) {
        // What a caller had started that was killed meanwhile is nobody's child here.
        (Killed::All, Some(mark)) => kill_marked(&charge.proc, &marks(mark), deadline),
        (killed, _) => killed,
    }
}

/// Kills until nothing is left. At the deadline what is left is written down for `wait` and `destroy`, who then give up;
/// this goes on.
fn kill_all(charge: &Charge, outcome: &mut Outcome, mut gave_up: impl FnMut(&str)) {
    let timeout = charge.destroy_timeout();
    let mut deadline = Instant::now() + timeout;
    loop {
        match step("kill", || kill(charge, outcome, deadline)) {
            Killed::All => return,
            Killed::Left(left) => {
                let text = format!(
                    "container {}: after {timeout:?} (--cgroups_destroy_timeout) these processes could not be killed: {left}; \
                     killing goes on",
                    charge.dir.id()
                );
                if charge.dir.left().is_none() {
                    charge.dir.log(&text);
                }
                // Full disk: they then give up without the list.
                let _ = charge.dir.write_left(&text);
                gave_up(&text);
            }
        }
        deadline = Instant::now() + AFTER_DEADLINE;
    }
}

fn clean_up(charge: &Charge, ended: Option<&Termination>) {
    let resources = charge.resources();
    let container = Container { ended, ..charge.running(&resources) };
    charge.set.cleanup(&charge.dir, &container, |e| charge.dir.log(&e));
    if !weaken::is("cgroups") {
        charge.cgroups.remove(Instant::now() + REMOVING, |e| charge.dir.log(&e));
    }
}

/// Ends the container; when this returns, `ended/<id>` has its record and nothing else is left. `stranger`: the pidfd of a
/// first process that is not our child, from which its status may come.
pub fn end(charge: &Charge, outcome: &mut Outcome, stranger: Option<&Pidfd>) {
    if !outcome.limitations.is_empty() || outcome.status.is_some() && !outcome.noted {
        outcome.note(charge);
    }
    let ran = stranger.is_some_and(|pidfd| !status::is_over(pidfd));
    kill_all(charge, outcome, |_| {});
    if charge.checkpoint.adopted() && outcome.status.is_none() {
        outcome.status = stranger.and_then(|pidfd| status::of_killed(charge, pidfd, ran));
        outcome.no_status = Some(status::LOST);
    } else if outcome.status.is_none() {
        // Its tracer has not let go of it.
        outcome.status = status::of_file(charge).or_else(|| status::of_zombie(charge));
    }
    // Of one that was killed.
    if outcome.status.is_some() && !outcome.noted {
        outcome.note(charge);
    }
    // An update under way could make anew what is cleaned up; the next one finds the container gone.
    let _lock = Lock::take(charge.dir.path());
    clean_up(charge, Some(&outcome.termination()));
    loop {
        match charge.dir.finish(&record(charge, outcome)) {
            Ok(()) => return,
            // Somebody deleted the state: there is nobody to tell.
            Err(_) if !charge.dir.path().exists() => return,
            // A full disk may have room again; until then the status is safe in this process's memory.
            Err(_) => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

fn record(charge: &Charge, outcome: &Outcome) -> Ended {
    Ended {
        version: STATE_VERSION,
        termination: outcome.termination(),
        at: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(|d| d.as_secs_f64()),
        destroyed: Some(charge.dir.is_destroy_requested()),
        meta_run: charge.checkpoint.meta_run.clone(),
    }
}

/// For what is left of a damaged container, which `recover` may be waiting for, and with it the agent's start.
const DAMAGED: Duration = Duration::from_secs(10);

/// Ends what can be found of a container that nobody can take over, by its checkpoint where that can be read; says how that went.
pub fn end_damaged(dir: &ContainerDir, checkpoint: Option<&Checkpoint>, config: &Config, proc: &Proc) -> String {
    let deadline = Instant::now() + config.cgroups_destroy_timeout.min(DAMAGED);
    let mut left = Vec::new();
    let mut note = |killed| {
        if let Killed::Left(text) = killed {
            left.push(format!("these processes could not be killed: {text}"));
        }
    };
    let mut places: Vec<Cgroups> = Vec::new();
    places.extend(checkpoint.map(|checkpoint| Cgroups::of_checkpoint(checkpoint, dir.id().as_str())));
    let looked = Hierarchies::read(Path::new(MOUNTINFO));
    let anywhere = |found| Cgroups::anywhere(found, &config.cgroups.cgroups_root, dir.id().as_str());
    places.extend(looked.as_ref().ok().map(anywhere));
    for cgroups in &places {
        note(kill_in_cgroups(proc, cgroups, deadline, |_, _| {}));
        cgroups.remove(deadline, |_| {});
    }
    note(kill_strangers(proc, dir.id(), checkpoint.and_then(|checkpoint| checkpoint.first.as_ref()), deadline));
    if let Some(mark) = checkpoint.and_then(|checkpoint| checkpoint.mark.as_ref()) {
        note(kill_marked(proc, &marks(mark), deadline));
    }
    left.extend(looked.err().map(|e| format!("its cgroups were not looked for: {e}")));
    if left.is_empty() { "its processes were killed".into() } else { left.join("; ") }
}

/// Undoes a launch that failed: as if it had never been. `gave_up` hears when killing takes longer than its deadline.
///
/// # Errors
/// When the state directory cannot be removed; recover tries again.
pub fn undo(charge: &Charge, gave_up: impl FnMut(&str)) -> Result<()> {
    kill_all(charge, &mut Outcome::default(), gave_up);
    let _lock = Lock::take(charge.dir.path());
    clean_up(charge, None);
    charge.dir.remove()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn termination_without_a_limit_carries_no_state() {
        let outcome = Outcome { status: Some(768), ..Outcome::default() };
        let t = outcome.termination();
        assert_eq!((t.killed, t.status, t.state, t.reasons.len()), (false, Some(768), None, 0));
        assert_eq!(t.message.as_deref(), Some(TERMINATED));
        let t = Outcome { no_status: Some("why"), ..Outcome::default() }.termination();
        assert_eq!(t.message.as_deref(), Some("Executor terminated; its exit status is not known: why"));
        assert_eq!(t.status, None);
    }

    #[test]
    fn termination_with_limits_joins_their_messages() {
        let limit = |message: &str, reason| Limitation { message: message.into(), reason };
        let outcome =
            Outcome { status: Some(9), limitations: vec![limit("a", 8), limit("b", 20)], ..Outcome::default() };
        let t = outcome.termination();
        assert_eq!((t.killed, t.state, t.reasons), (true, Some(3), vec![8, 20]));
        assert_eq!(t.message.as_deref(), Some("a; b"));
    }
}
