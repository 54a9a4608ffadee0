//! Taking over a container whose supervisor has died.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::end::undo;
use super::serve::{First, Serving};
use super::start::Signals;
use super::status;
use super::{Charge, Outcome};
use crate::config::Config;
use crate::container::{ContainerDir, Ownership, become_owner, open_alive};
use crate::error::{Error, Result};
use crate::isolators::marks;
use crate::launcher::{Killed, kill_marked, leave_unit};
use crate::proc::Proc;
use crate::protocol::state::Ended;
use crate::sys::{self, Pidfd};

/// Starts a process that takes over, detached from the caller, and waits until it has. It gets the caller's pidfd of the
/// first process, if that has one: opened before the end, it may be the only way to the status. That somebody else has taken
/// over, or that the container is gone, is as good.
///
/// # Errors
/// When it cannot be started or cannot take over; the container is then as it was.
pub fn adopt(dir: &ContainerDir, first: Option<&Pidfd>, config: &Config, proc: &Proc) -> Result<()> {
    let failed = "start a process that takes over from a dead supervisor";
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(Error::system(failed))?;
    let mut kept = vec![write];
    if let Some(first) = first {
        kept.push(first.as_owned().map_err(Error::system(failed))?);
    }
    sys::detach(kept, true, |kept| run(dir.clone(), kept, config, proc)).map_err(Error::system(failed))?;
    let mut said = String::new();
    File::from(read).read_to_string(&mut said).map_err(Error::system(failed))?;
    match said.as_str() {
        "done" => Ok(()),
        "" => Err(Error::Supervisor("the process that was to take over died (was it killed?)".into())),
        why => Err(Error::Supervisor(format!("cannot take over container {}: {why}", dir.id()))),
    }
}

/// How long what a dead owner's isolators have left is being killed before the others are called.
const KILLING: Duration = Duration::from_secs(2);

/// The adopter's life.
fn run(dir: ContainerDir, kept: Vec<OwnedFd>, config: &Config, proc: &Proc) -> i32 {
    let mut kept = kept.into_iter();
    let Some(report) = kept.next().map(File::from) else {
        return 70;
    };
    let inherited = kept.next().map(Pidfd::from);
    let say = |mut report: File, text: &str| drop(report.write_all(text.as_bytes()));
    if let Err(e) = leave_unit(config) {
        // A container without anybody to look after it would be worse.
        dir.log(&e.to_string());
    }
    let taken = Signals::open().and_then(|signals| {
        // Who cannot look after it does not become its owner, not even for a moment.
        if let Some(checkpoint) = dir.checkpoint()? {
            Charge::of(dir.clone(), checkpoint, config, proc)?;
        }
        match become_owner(proc, &dir)? {
            Ownership::Mine(checkpoint) => Ok(Some((signals, Charge::of(dir, *checkpoint, config, proc)?))),
            Ownership::Theirs(_) | Ownership::Gone => Ok(None),
        }
    });
    let (signals, charge) = match taken {
        Ok(Some(taken)) => taken,
        Ok(None) => {
            say(report, "done");
            return 0;
        }
        Err(e) => {
            say(report, &e.to_string());
            return 1;
        }
    };
    say(report, "done");
    sys::last_words_to(charge.dir.log_path());
    match charge.dir.unfinished() {
        // The record was written and all was done but the last step.
        Ok(Some(_)) => charge.dir.move_to_ended().map_or(1, |()| 0),
        _ if charge.dir.is_committed() => serve(charge, signals, inherited),
        // Its launch has failed.
        _ => undo(&charge, |_| {}).map_or(1, |()| 0),
    }
}

/// How often it is tried to read what a dead owner has noted while the host is short of something, and how long between two tries.
const READING: (u32, Duration) = (100, Duration::from_millis(100));

fn noted(dir: &ContainerDir) -> Option<Ended> {
    for _ in 0..READING.0 {
        match dir.outcome() {
            Err(e) if e.may_pass() => std::thread::sleep(READING.1),
            found => return found.ok().flatten(),
        }
    }
    None
}

fn serve(charge: Charge, signals: Signals, inherited: Option<Pidfd>) -> i32 {
    let first = charge.checkpoint.first.as_ref();
    let pidfd = inherited.or_else(|| first.and_then(|f| open_alive(&charge.proc, f)));
    let mut outcome = Outcome::noted(noted(&charge.dir));
    if pidfd.is_none() && outcome.status.is_none() {
        outcome.status = status::of_file(&charge);
        outcome.no_status = Some(status::LOST);
    }
    if let Some(mark) = &charge.checkpoint.mark {
        // What the dead owner had started. Calls of verbs that are under way go on.
        let [by_owner, _] = marks(mark);
        if let Killed::Left(left) = kill_marked(&charge.proc, &[by_owner], Instant::now() + KILLING) {
            charge.dir.log(&format!("these processes of a dead supervisor's isolators could not be killed: {left}"));
        }
    }
    let resources = charge.resources();
    charge.set.recover(&charge.dir, &charge.running(&resources), |e| charge.dir.log(&e));
    let serving = Serving { channel: None, signals, first: First::Stranger(pidfd) };
    serving.run(charge, outcome, sys::trim_heap)
}
