//! Ending every process of a container.
//!
//! In a pid namespace of the container's, everything dies with the first process, before that is seen to have ended. That is
//! the fastest way, but not for what came into the container from outside, so the others follow.
//!
//! With the linux launcher its cgroups say which ones those are, whoever asks. With the posix launcher the supervisor is the
//! container's subreaper: whatever a container process does (double fork, setsid, ignored signals, being stopped), once its
//! parents are dead it becomes the supervisor's child, and a child of ours keeps its pid until we reap it. So: kill children
//! until there are none. Who takes over from a dead supervisor is nobody's parent; it goes by the first process's tree and
//! by MESOS_CONTAINER_ID in the environment, as well as that can be done.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Cgroups;
use crate::cgroup;
use crate::container::{ContainerId, is_alive, open_alive};
use crate::proc::{Proc, Stat};
use crate::protocol::state::Process;
use crate::sys::{Pidfd, reap_child};

/// How it went.
#[derive(Debug, PartialEq, Eq)]
pub enum Killed {
    /// Nothing is left.
    All,
    /// These could not be killed before the deadline, in words.
    Left(String),
}

/// Between two looks at what does not want to die. SIGKILL usually acts within microseconds, so the first is short.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How long the end of a pid namespace is waited for before the cgroups are looked at: what is in them is frozen then, and what
/// is frozen takes longer to die.
const NAMESPACE_PATIENCE: Duration = Duration::from_millis(50);

/// Kills the first process of a pid namespace, and gives the kernel a moment to kill the others. They are dead, and reaped, when
/// it has ended. Where the cgroups can be killed at a word, that moment is not waited for: it takes the first process to run
/// before the others hear of it, which on a busy host is longer than to kill all of them at once.
pub fn kill_first(proc: &Proc, first: &Process, cgroups: &Cgroups, deadline: Instant) {
    let Some(pidfd) = open_alive(proc, first) else { return };
    // EPERM shows as what is left.
    let _ = pidfd.kill(libc::SIGKILL);
    if cgroups.tracking().iter().any(cgroup::dies_at_a_word) {
        return;
    }
    let patience = NAMESPACE_PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
    let _ = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout);
}

/// Kills everything in the container's cgroups, and reaps what of it are children of this process. `reaped` hears of each
/// with its raw wait status.
pub fn kill_in_cgroups(proc: &Proc, cgroups: &Cgroups, deadline: Instant, mut reaped: impl FnMut(i32, i32)) -> Killed {
    let tracking = cgroups.tracking();
    if cgroup::kill(&tracking, deadline, || {
        reap(&mut reaped);
    }) {
        return Killed::All;
    }
    // In v1 and v2, it is the same ones.
    let pids: BTreeSet<i32> = tracking.iter().flat_map(cgroup::pids).collect();
    let left: Vec<Stat> = pids.into_iter().filter_map(|pid| proc.stat(pid)).collect();
    Killed::Left(describe(proc, &left))
}

/// Kills and reaps all descendants of this process. `reaped` hears of each with its raw wait status.
pub fn kill_descendants(proc: &Proc, deadline: Instant, mut reaped: impl FnMut(i32, i32)) -> Killed {
    let me = std::process::id() as i32;
    let mut pause = FIRST_PAUSE;
    let mut all_ended = false;
    loop {
        match reap(&mut reaped) {
            Reaped::NoChildren => return Killed::All,
            Reaped::Some => pause = FIRST_PAUSE,
            // Ended and not to be had: somebody outside traces them and has to let go first. They are as dead as can be.
            Reaped::None if all_ended => return Killed::All,
            Reaped::None => {}
        }
        let children = proc.children(me);
        for child in &children {
            // Ours, not reaped yet: the pid cannot be anybody else's.
            let _ = kill(Pid::from_raw(*child), Signal::SIGKILL);
        }
        // Deeper ones too, so that a fork bomb is not faster than one generation a round.
        let tree = proc.tree(me);
        let mut below = tree.iter().filter(|s| s.pid != me);
        for stat in below.clone().filter(|s| !children.contains(&s.pid)) {
            kill_if_same(proc, stat);
        }
        all_ended = !children.is_empty() && below.all(Proc::has_ended);
        if Instant::now() >= deadline {
            let left: Vec<Stat> = tree.into_iter().filter(|s| s.pid != me && !Proc::has_ended(s)).collect();
            return Killed::Left(describe(proc, &left));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

enum Reaped {
    NoChildren,
    None,
    Some,
}

fn reap(reaped: &mut impl FnMut(i32, i32)) -> Reaped {
    let mut some = false;
    loop {
        match reap_child() {
            Ok(Some((pid, status))) => {
                reaped(pid, status);
                some = true;
            }
            Ok(None) => return if some { Reaped::Some } else { Reaped::None },
            // ECHILD
            Err(_) => return Reaped::NoChildren,
        }
    }
}

/// Kills the first process with all below it, and every process whose environment names the container, until two looks in a
/// row find none. Misses a process that was reparented away and has changed its environment.
pub fn kill_strangers(proc: &Proc, id: &ContainerId, first: Option<&Process>, deadline: Instant) -> Killed {
    let entries = [format!("MESOS_CONTAINER_ID={id}")];
    kill_found(proc, deadline, || strangers(proc, &entries, first))
}

/// Kills every process that has one of these entries (`NAME=VALUE`) in its environment, until two looks in a row find none. They must
/// be such that nobody else can know them: who does keeps this from coming to an end.
pub fn kill_marked(proc: &Proc, entries: &[String], deadline: Instant) -> Killed {
    kill_found(proc, deadline, || strangers(proc, entries, None))
}

fn kill_found(proc: &Proc, deadline: Instant, mut look: impl FnMut() -> Vec<Stat>) -> Killed {
    let mut pause = FIRST_PAUSE;
    let mut quiet = 0;
    loop {
        let found = look();
        if found.is_empty() {
            quiet += 1;
            if quiet == 2 {
                return Killed::All;
            }
            continue;
        }
        quiet = 0;
        for stat in &found {
            kill_if_same(proc, stat);
        }
        if Instant::now() >= deadline {
            return Killed::Left(describe(proc, &found));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Not this process and those above it: whoever calls us from inside a container of the same id is not killed for it.
fn strangers(proc: &Proc, entries: &[String], first: Option<&Process>) -> Vec<Stat> {
    let mut spared = vec![];
    let mut above = std::process::id() as i32;
    while above > 0 && !spared.contains(&above) {
        spared.push(above);
        above = proc.stat(above).map_or(0, |s| s.ppid);
    }
    let mut found: Vec<Stat> = first.filter(|f| is_alive(proc, f)).map(|f| proc.tree(f.pid)).unwrap_or_default();
    for pid in proc.pids().unwrap_or_default() {
        if !found.iter().any(|s| s.pid == pid)
            && entries.iter().any(|entry| proc.has_environment(pid, entry))
            && let Some(stat) = proc.stat(pid)
        {
            found.push(stat);
        }
    }
    found.retain(|s| !Proc::has_ended(s) && !spared.contains(&s.pid));
    found
}

fn kill_if_same(proc: &Proc, stat: &Stat) {
    if let Ok(pidfd) = Pidfd::open(stat.pid)
        && proc.start_time(stat.pid) == Some(stat.starttime)
    {
        // ESRCH: it is dead, which is what is wanted. EPERM shows as what is left.
        let _ = pidfd.kill(libc::SIGKILL);
    }
}

fn describe(proc: &Proc, left: &[Stat]) -> String {
    const SHOWN: usize = 8;
    // Who is to be told to let go of it.
    let traced = |s: &Stat| proc.tracer(s.pid).map(|by| format!(", traced by pid {by}")).unwrap_or_default();
    let one = |s: &Stat| format!("pid {} ({}, state {}{})", s.pid, s.comm.escape_default(), s.state, traced(s));
    let mut text: Vec<String> = left.iter().take(SHOWN).map(one).collect();
    if left.len() > SHOWN {
        text.push(format!("and {} more", left.len() - SHOWN));
    }
    if text.is_empty() { "processes that /proc does not show".into() } else { text.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    #[test]
    fn the_first_process_is_killed_and_no_other_of_its_number() {
        let proc = Proc::default();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let first = crate::container::identify(&proc, child.id() as i32).unwrap();
        let soon = Instant::now() + Duration::from_secs(10);
        let none = Cgroups::default();
        kill_first(&proc, &Process { start_time: first.start_time + 1, ..first }, &none, soon);
        assert!(is_alive(&proc, &first), "another process of this number");
        kill_first(&proc, &first, &none, soon);
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
        kill_first(&proc, &first, &none, soon);
    }

    #[test]
    fn strangers_are_found_by_environment_even_when_detached() {
        let id = ContainerId::new(&format!("kill-test-{}", std::process::id())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let script =
            format!("(setsid sh -c 'trap \"\" TERM; echo $$ >> {0}; sleep 60; :' &) ; echo $$ >> {0}", pids.display());
        Command::new("sh").args(["-c", &script]).env("MESOS_CONTAINER_ID", id.as_str()).status().unwrap();
        let begin = Instant::now();
        while std::fs::read_to_string(&pids).map_or(0, |t| t.lines().count()) < 2 && begin.elapsed().as_secs() < 10 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let proc = Proc::default();
        let entry = [format!("MESOS_CONTAINER_ID={id}")];
        assert!(!strangers(&proc, &entry, None).is_empty());
        assert_eq!(kill_strangers(&proc, &id, None, Instant::now() + Duration::from_secs(10)), Killed::All);
        assert!(strangers(&proc, &entry, None).is_empty());
    }
}
