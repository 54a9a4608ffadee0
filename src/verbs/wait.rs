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
use crate::container::{ContainerDir, ContainerId, is_alive, open_alive};
use crate::error::{Error, Result};
use crate::protocol::mesos::containerizer::{Termination, Wait};
use crate::protocol::state::Checkpoint;
use crate::protocol::write_record;
use crate::supervisor::adopt;
use crate::sys::Pidfd;

/// Until the first process is known it is looked for this often: from its pidfd the status comes if the supervisor dies.
const LOOKING: Duration = Duration::from_millis(50);
/// Afterwards this is how often it is looked whether the owner has given up killing.
const HEARTBEAT: Duration = Duration::from_secs(10);

const NOBODY: &str = "nobody reads the answer any more; the container goes on";

/// Answers with the container's Termination: at once if it has ended or is unknown, the same as often as it is asked.
pub fn run(settings: &Settings, input: &mut impl Read, output: &mut (impl Write + AsFd)) -> Result<()> {
    let wait: Wait = read(input)?;
    let id = ContainerId::new(&wait.container_id.value)?;
    let context = Context::new(Verb::Wait, settings)?;
    let mut first = None;
    let (mut adopted, mut warned) = (false, false);
    while let Some(dir) = context.scope.live(&id) {
        let checkpoint = match dir.checkpoint() {
            Ok(Some(checkpoint)) => checkpoint,
            Ok(None) => continue,
            // No descriptors or memory left, perhaps. To fail would make the agent forget a container that runs.
            Err(e) if e.io().is_some() => {
                warn_once(&context, &mut warned, &e);
                pause(output.as_fd())?;
                continue;
            }
            Err(e) => return Err(e),
        };
        if first.is_none() {
            first = checkpoint.first.and_then(|f| open_alive(&context.proc, &f));
        }
        let owner = open_alive(&context.proc, &checkpoint.owner);
        match owner.filter(|_| is_alive(&context.proc, &checkpoint.owner)) {
            Some(owner) => {
                if let Some(left) = block(&dir, &checkpoint, &owner, first.is_some(), output.as_fd())? {
                    return answer(output, &unkillable(left));
                }
            }
            // Whoever has the first process open passes it on: its status may come only that way.
            None => {
                if std::mem::replace(&mut adopted, true) {
                    // One that took over died at once: not a thousand a second.
                    pause(output.as_fd())?;
                }
                if let Err(e) = adopt(&dir, first.as_ref(), &context.config, &context.proc) {
                    warn_once(&context, &mut warned, &e);
                }
            }
        }
    }
    let ended = context.scope.ended(&id);
    match ended.record()? {
        Some(record) => {
            answer(output, &record.termination)?;
            if let Err(e) = ended.mark_answered() {
                // The agent has its answer; the record is only kept and listed longer.
                context.warn(&e.to_string());
            }
            Ok(())
        }
        None => answer(output, &unknown(&id)),
    }
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
    stdout: BorrowedFd<'_>,
) -> Result<Option<String>> {
    let begin = Instant::now();
    let heartbeat = if first_known {
        let timeout = checkpoint.destroy_timeout_ms.map_or(HEARTBEAT, Duration::from_millis);
        (timeout / 2).clamp(LOOKING, HEARTBEAT)
    } else {
        LOOKING
    };
    loop {
        // Nothing is asked of stdout: POLLERR comes when nobody reads the pipe any more.
        let mut fds = [PollFd::new(owner.as_fd(), PollFlags::POLLIN), PollFd::new(stdout, PollFlags::empty())];
        match poll(&mut fds, PollTimeout::try_from(heartbeat).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(e) => return Err(Error::system("wait for the container's supervisor")(e)),
        }
        let ready = |n: usize| fds.get(n).and_then(PollFd::any).unwrap_or(false);
        if ready(0) {
            return Ok(None);
        }
        if ready(1) {
            return Err(Error::Cancelled(NOBODY));
        }
        if let Some(left) = dir.left() {
            return Ok(Some(left));
        }
        if !first_known && begin.elapsed() >= heartbeat {
            return Ok(None);
        }
    }
}

/// A second, unless nobody reads the answer any more.
fn pause(stdout: BorrowedFd<'_>) -> Result<()> {
    match poll(&mut [PollFd::new(stdout, PollFlags::empty())], PollTimeout::from(1000u16)) {
        Ok(ready) if ready > 0 => Err(Error::Cancelled(NOBODY)),
        _ => Ok(()),
    }
}

fn answer(output: &mut impl Write, termination: &Termination) -> Result<()> {
    Ok(write_record(output, termination)?)
}

fn unkillable(left: String) -> Termination {
    Termination { killed: false, message: Some(left), ..Termination::default() }
}

fn unknown(id: &ContainerId) -> Termination {
    let message =
        format!("container {id} is not known: it was never launched, its launch failed, or the host was rebooted");
    Termination { killed: false, message: Some(message), ..Termination::default() }
}
