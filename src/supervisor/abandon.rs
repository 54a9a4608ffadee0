//! Containers that nobody can take over: their state cannot be read, was written by a later version, or names an isolator that
//! this program does not have. They must not keep an agent from starting, nor a `wait` from answering: what can be found of
//! them is ended, and their state is put aside for a human to look at.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::{Charge, adopt, end_damaged};
use crate::config::Config;
use crate::container::{ContainerDir, Lock, Scope, is_alive, open_alive, understand};
use crate::error::Error;
use crate::proc::Proc;
use crate::protocol::state::Process;

/// How long the live owner of a damaged state gets to write down how its container ended.
pub const OWNERS_RECORD: Duration = Duration::from_millis(500);

/// How long the live owner of a damaged state may clean up before it is left to it.
const CLEANING_UP: Duration = Duration::from_secs(5);

/// What a verb that looks after containers can do for one.
#[derive(Debug)]
pub enum Found {
    /// Its owner lives.
    Owned(Process),
    /// Its owner is dead: somebody has to take over.
    Ownerless,
    /// It has ended.
    Gone,
    /// The host is short of something: to be looked at again later.
    Short(Error),
    /// Nobody can take over.
    Hopeless(Error),
}

/// Looks at a container's state, for `recover` with each, for `wait` and `destroy` after a failure.
pub fn examine(dir: &ContainerDir, config: &Config, proc: &Proc) -> Found {
    let checkpoint = match dir.checkpoint() {
        Ok(Some(checkpoint)) => checkpoint,
        Ok(None) => return Found::Gone,
        Err(why) if why.may_pass() => return Found::Short(why),
        Err(why) => return Found::Hopeless(why),
    };
    if is_alive(proc, &checkpoint.owner) {
        return Found::Owned(checkpoint.owner);
    }
    match understand(dir, &checkpoint).and_then(|()| Charge::of(dir.clone(), checkpoint, config, proc)) {
        Ok(_) => Found::Ownerless,
        Err(why) if why.may_pass() => Found::Short(why),
        Err(why) => Found::Hopeless(why),
    }
}

/// What `recover` does with each: [`adopt`], or the end of a container that nobody can take over: then the text of a warning. `patience` is for the record of
/// an owner that lives.
///
/// # Errors
/// As [`adopt`] for one that can be taken over.
pub fn adopt_or_abandon(
    scope: &Scope,
    dir: &ContainerDir,
    patience: Duration,
    config: &Config,
    proc: &Proc,
) -> Result<Option<String>, Error> {
    match examine(dir, config, proc) {
        Found::Owned(owner) => {
            remind(dir, &owner, proc);
            Ok(None)
        }
        Found::Gone => Ok(None),
        Found::Ownerless => adopt(dir, None, config, proc).map(|()| None),
        Found::Short(why) => Err(why),
        Found::Hopeless(why) => Ok(Some(abandon(scope, dir, &why, patience, config, proc))),
    }
}

/// A destroy that was killed may have left its mark and not have told the owner, who would go by it at some later time.
fn remind(dir: &ContainerDir, owner: &Process, proc: &Proc) {
    if dir.is_destroy_requested()
        && let Some(owner) = open_alive(proc, owner)
    {
        // That it has ended meanwhile is as good.
        let _ = owner.kill(libc::SIGUSR1);
    }
}

/// Ends what can be found of a container of which no more is known than `why`, and puts its state aside. Says what was done, and
/// what was not; the state may still be there then.
pub fn abandon(
    scope: &Scope,
    dir: &ContainerDir,
    why: &Error,
    patience: Duration,
    config: &Config,
    proc: &Proc,
) -> String {
    let checkpoint = dir.checkpoint().ok().flatten();
    // Of another release, which knows what this one does not.
    if checkpoint.as_ref().is_some_and(|checkpoint| is_alive(proc, &checkpoint.owner)) {
        return format!("container {}: {why}; somebody else looks after it", dir.id());
    }
    // Nobody can know what to do with it, least of all its owner: what can be found of it is ended first.
    let left = end_damaged(dir, checkpoint.as_ref(), config, proc);
    // An owner that lives sees the end, and its record is better than none.
    let begin = Instant::now();
    while dir.path().exists() && begin.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    // While it cleans up it has the lock.
    let lock = Lock::take_within(dir.path(), CLEANING_UP);
    let is_locked = lock.as_ref().is_err_and(|e| e.io().is_none());
    let aside = match dir.path().exists() {
        true if is_locked => "its supervisor goes on cleaning up".to_owned(),
        true => scope.set_aside(dir.path(), dir.id()).map_or_else(
            |e| if dir.path().exists() { e.to_string() } else { "somebody else has put it aside".to_owned() },
            |to| format!("set aside as {}", to.display()),
        ),
        false => "its supervisor wrote how it ended".to_owned(),
    };
    format!("container {}: {why}; {left}; {aside}", dir.id())
}
