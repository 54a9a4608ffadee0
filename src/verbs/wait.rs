//! `wait`: blocks until the container has ended and answers how. Never anybody's parent: it may be SIGKILLed at any moment
//! together with its process tree, group and session.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::context::{Context, read};
use crate::cli::Verb;
use crate::config::Settings;
use crate::container::{ContainerDir, ContainerId, EndedDir, is_alive, open_alive};
use crate::error::{Error, Result};
use crate::protocol::mesos::containerizer::{Termination, Wait};
use crate::protocol::state::Checkpoint;
use crate::protocol::write_record;
use crate::supervisor::{Found, OWNERS_RECORD, abandon, adopt, examine};
use crate::sys::Pidfd;

/// Until the first process is known it is looked for this often: from its pidfd the status comes if the supervisor dies.
const LOOKING: Duration = Duration::from_millis(50);
/// Afterwards this is how often it is looked whether the owner has given up killing.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Between two tries of what failed.
const PAUSE: Duration = Duration::from_secs(1);

const NOBODY: &str = "nobody reads the answer any more; the container goes on";

/// Answers with the container's Termination: at once if it has ended or is unknown, the same as often as it is asked.
pub fn run(settings: &Settings, input: &mut impl Read, output: &mut (impl Write + AsFd)) -> Result<()> {
    let wait: Wait = read(input)?;
    let id = ContainerId::new(&wait.container_id.value)?;
    let context = Context::new(Verb::Wait, settings)?;
    let end = end_of(&context, &id, &mut |owner, patience| look(owner, patience, output.as_fd()))?;
    write_record(output, &end.termination)?;
    if let Some(ended) = end.record
        && let Err(e) = ended.mark_answered()
    {
        // The agent has its answer; the record is only kept and listed longer.
        context.warn(&e.to_string());
    }
    Ok(())
}

/// Waits until the owner's descriptor, if there is one, is readable (true), or for `patience` (false).
///
/// # Errors
/// When nobody reads the answer any more.
fn look(owner: Option<BorrowedFd<'_>>, patience: Duration, stdout: BorrowedFd<'_>) -> Result<bool> {
    // Nothing is asked of stdout: POLLERR comes when nobody reads the pipe any more.
    let mut fds = vec![PollFd::new(stdout, PollFlags::empty())];
    fds.extend(owner.map(|owner| PollFd::new(owner, PollFlags::POLLIN)));
    match poll(&mut fds, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(e) => return Err(Error::system("wait for the container's supervisor")(e)),
    }
    let ready = |n: usize| fds.get(n).and_then(PollFd::any).unwrap_or(false);
    if ready(1) {
        return Ok(true);
    }
    if ready(0) { Err(Error::Cancelled(NOBODY)) } else { Ok(false) }
}

/// How a container ended.
pub struct End {
    /// The answer.
    pub termination: Termination,
    /// Where it is kept. None: the container is unknown, or its owner has given up killing it.
    pub record: Option<EndedDir>,
}

/// Waits for the end of a container, and finds a new owner for it where its own dies. All waiting is done by `look`: until
/// the descriptor of the owner (if it is given one) is readable, then it says true, or for as long as it is told.
///
/// # Errors
/// Those of `look`; when the end is not known and never will be.
pub fn end_of(
    context: &Context,
    id: &ContainerId,
    look: &mut impl FnMut(Option<BorrowedFd<'_>>, Duration) -> Result<bool>,
) -> Result<End> {
    let (mut first, mut abandoned) = (None, None);
    let (mut adopted, mut warned) = (false, false);
    while let Some(dir) = context.scope.live(id) {
        let checkpoint = match dir.checkpoint() {
            Ok(Some(checkpoint)) => checkpoint,
            Ok(None) => continue,
            // No descriptors or memory left, perhaps. To fail would make the agent forget a container that runs.
            Err(e) if e.may_pass() => {
                warn_once(context, &mut warned, &e);
                look(None, PAUSE)?;
                continue;
            }
            Err(e) => {
                abandoned = Some(given_up(context, &dir, e)?);
                continue;
            }
        };
        if first.is_none() {
            first = checkpoint.first.and_then(|f| open_alive(&context.proc, &f));
        }
        let owner = open_alive(&context.proc, &checkpoint.owner);
        match owner.filter(|_| is_alive(&context.proc, &checkpoint.owner)) {
            Some(owner) => {
                if let Some(left) = block(&dir, &checkpoint, &owner, first.is_some(), look)? {
                    return Ok(End { termination: unkillable(left), record: None });
                }
            }
            // Whoever has the first process open passes it on: its status may come only that way.
            None => {
                if std::mem::replace(&mut adopted, true) {
                    // One that took over died at once: not a thousand a second.
                    look(None, PAUSE)?;
                }
                if let Err(e) = adopt(&dir, first.as_ref(), &context.config, &context.proc) {
                    match examine(&dir, &context.config, &context.proc) {
                        Found::Hopeless(why) => abandoned = Some(given_up(context, &dir, why)?),
                        _ => warn_once(context, &mut warned, &e),
                    }
                }
            }
        }
    }
    let ended = context.scope.ended(id);
    let record = loop {
        match ended.record() {
            Err(e) if e.may_pass() => warn_once(context, &mut warned, &e),
            record => break record?,
        }
        look(None, PAUSE)?;
    };
    Ok(match record {
        Some(record) => End { termination: record.termination, record: Some(ended) },
        None => End { termination: no_record(abandoned.unwrap_or_else(|| unknown(id))), record: None },
    })
}

fn warn_once(context: &Context, warned: &mut bool, error: &Error) {
    if !std::mem::replace(warned, true) {
        context.warn(&format!("{error}; trying again until it works"));
    }
}

/// Blocks until the owner has ended (None), or has given up killing: then what is left.
fn block(
    dir: &ContainerDir,
    checkpoint: &Checkpoint,
    owner: &Pidfd,
    first_known: bool,
    look: &mut impl FnMut(Option<BorrowedFd<'_>>, Duration) -> Result<bool>,
) -> Result<Option<String>> {
    let begin = Instant::now();
    let heartbeat = if first_known {
        let timeout = checkpoint.destroy_timeout_ms.map_or(HEARTBEAT, Duration::from_millis);
        (timeout / 2).clamp(LOOKING, HEARTBEAT)
    } else {
        LOOKING
    };
    loop {
        if look(Some(owner.as_fd()), heartbeat)? {
            return Ok(None);
        }
        if let Some(left) = dir.left() {
            return Ok(Some(left));
        }
        if !first_known && begin.elapsed() >= heartbeat {
            return Ok(None);
        }
    }
}

fn unkillable(left: String) -> Termination {
    Termination { killed: false, message: Some(left), ..Termination::default() }
}

/// Ends what nobody can take over; gives what was done, for the answer.
///
/// # Errors
/// Its state is still there: to answer would be to say that it is gone.
fn given_up(context: &Context, dir: &ContainerDir, why: Error) -> Result<String> {
    let done = abandon(&context.scope, dir, &why, OWNERS_RECORD, &context.config, &context.proc);
    context.warn(&done);
    if dir.path().exists() { Err(why) } else { Ok(done) }
}

fn unknown(id: &ContainerId) -> String {
    format!("container {id} is not known: it was never launched, its launch failed, or the host was rebooted")
}

fn no_record(message: String) -> Termination {
    Termination { killed: false, message: Some(message), ..Termination::default() }
}
