//! Seeing to it that a container ends, for destroy and for a launch that failed.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Found, OWNERS_RECORD, abandon, adopt, examine};
use crate::config::Config;
use crate::container::{ContainerDir, ContainerId, Scope, is_alive, open_alive};
use crate::error::{Error, Result};
use crate::isolators::starts_programs;
use crate::proc::{Proc, Stat};
use crate::protocol::state::Process;

/// The owner gives up killing after its timeout and then needs a moment to say so.
const MOMENT: Duration = Duration::from_secs(2);

/// How often it is looked whether the owner can do anything at all.
const LOOK: Duration = Duration::from_millis(500);

/// Wakes the owner and waits until the container is gone; where the owner is dead, starts one first. With `destroy` the
/// container is marked as asked to end, whatever state it is in; without, only an uncommitted launch ends.
///
/// # Errors
/// [`Error::Left`] when it is not gone after the container's own destroy timeout; its owner goes on.
pub fn see_gone(scope: &Scope, id: &ContainerId, destroy: bool, config: &Config, proc: &Proc) -> Result<()> {
    let mut deadline = None;
    let mut adopted = false;
    while let Some(dir) = scope.live(id) {
        if destroy {
            match dir.request_destroy() {
                Err(_) if !dir.path().exists() => continue,
                Err(e) => match examine(&dir, config, proc) {
                    Found::Hopeless(why) => {
                        give_up(scope, &dir, why, config, proc)?;
                        continue;
                    }
                    _ => return Err(e),
                },
                Ok(()) => {}
            }
        }
        if !destroy && dir.is_committed() {
            return Ok(());
        }
        let checkpoint = match dir.checkpoint() {
            Ok(Some(checkpoint)) => checkpoint,
            Ok(None) => continue,
            Err(e) if e.may_pass() => return Err(e),
            Err(e) => {
                give_up(scope, &dir, e, config, proc)?;
                continue;
            }
        };
        let owner = checkpoint.owner;
        let timeout = checkpoint.destroy_timeout_ms.map_or(config.cgroups_destroy_timeout, Duration::from_millis);
        // A program isolator may be under way, and clean up after that.
        let programs = checkpoint.isolation.iter().filter(|name| starts_programs(name)).count();
        let calls = config.isolator_timeout.saturating_mul(u32::try_from(programs * 2).unwrap_or(u32::MAX));
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + timeout + calls + MOMENT);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(gave_up(&dir, &owner));
        }
        let Some(pidfd) = open_alive(proc, &owner).filter(|_| is_alive(proc, &owner)) else {
            if std::mem::replace(&mut adopted, true) {
                // One that took over died at once: not a thousand a second.
                std::thread::sleep(Duration::from_millis(50));
            }
            if let Err(e) = adopt(&dir, None, config, proc) {
                match examine(&dir, config, proc) {
                    Found::Hopeless(why) => give_up(scope, &dir, why, config, proc)?,
                    // Somebody else was faster.
                    Found::Owned(_) | Found::Gone if !e.is_shortage() => {}
                    _ => return Err(e),
                }
            }
            continue;
        };
        // ESRCH: it died just now, the next round sees it.
        let _ = pidfd.kill(libc::SIGUSR1);
        let slice = left.min(LOOK) + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(slice).unwrap_or(PollTimeout::MAX);
        let ended = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0);
        // An owner that somebody stopped or traces does nothing more. Another one will.
        let stopped = |s: &Stat| s.starttime == owner.start_time && matches!(s.state, 'T' | 't');
        if destroy && !ended && proc.stat(owner.pid).is_some_and(|s| stopped(&s)) {
            let _ = pidfd.kill(libc::SIGKILL);
        }
    }
    Ok(())
}

/// Ends what nobody can take over.
///
/// # Errors
/// Its state is still there.
fn give_up(scope: &Scope, dir: &ContainerDir, why: Error, config: &Config, proc: &Proc) -> Result<()> {
    let done = abandon(scope, dir, &why, OWNERS_RECORD, config, proc);
    if dir.path().exists() { Err(Error::Refused(done)) } else { Ok(()) }
}

/// Also written down, where the owner has not: for the waits.
fn gave_up(dir: &ContainerDir, owner: &Process) -> Error {
    let left = dir.left().unwrap_or_else(|| {
        let left = format!(
            "container {}: its supervisor (pid {}) did not end it in time (--cgroups_destroy_timeout); it goes on trying",
            dir.id(),
            owner.pid
        );
        // No room: the waits then go without.
        let _ = dir.write_left(&left);
        left
    });
    Error::Left { left }
}
