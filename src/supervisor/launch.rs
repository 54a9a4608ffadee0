//! Launch's side: forks the supervisor, passes on what it says, commits.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::channel::{Message, receive};
use super::{see_gone, start};
use crate::config::{Config, Limits};
use crate::container::{ContainerId, Scope};
use crate::error::{Error, Result};
use crate::fetcher::Plan;
use crate::isolators::Set;
use crate::launcher::{Account, Cgroups, Streams, Unit};
use crate::proc::Proc;
use crate::protocol::mesos::containerizer::Launch;
use crate::protocol::state::Checkpoint;
use crate::sys;

/// All that launch has worked out; the supervisor carries it out.
pub struct Order {
    /// The container's id.
    pub id: ContainerId,
    /// The record's bytes as they came.
    pub record: Vec<u8>,
    /// The record.
    pub launch: Launch,
    /// Whom to run as.
    pub account: Account,
    /// The isolators, probed.
    pub set: Set,
    /// Where the container will be in the cgroup hierarchies; the checkpoint says it too.
    pub cgroups: Cgroups,
    /// The agent's systemd unit.
    pub unit: Unit,
    /// What to fetch.
    pub fetch: Plan,
    /// How long that may take.
    pub fetch_timeout: Duration,
    /// The flags about what a container's process may do and use.
    pub limits: Limits,
    /// What launch has inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// The first checkpoint, but for the owner.
    pub checkpoint: Checkpoint,
    /// The agent's state.
    pub scope: Scope,
    /// How long an answered record is kept.
    pub retention: Duration,
    /// Where to read about processes.
    pub proc: Proc,
}

/// Starts the supervisor and returns when the container runs and this launch is committed to it.
///
/// # Errors
/// Why it could not be started; everything is undone then.
pub fn launch(order: Order, config: &Config) -> Result<()> {
    Launching::begin(order, None)?.finish(config)
}

/// A launch under way: the supervisor works. Readable (by its descriptor) as soon as [`Launching::finish`] will not block
/// for long. Dropped, it is called off.
pub struct Launching {
    channel: UnixStream,
    id: ContainerId,
    scope: Scope,
    proc: Proc,
}

impl Launching {
    /// Starts the supervisor. The container's first process, and what fetches for it, get the `given` streams instead of
    /// the files in the sandbox; nobody else keeps them open.
    ///
    /// # Errors
    /// Those of fork(2); nothing was made then.
    pub fn begin(order: Order, given: Option<Streams>) -> Result<Launching> {
        let (id, scope, proc) = (order.id.clone(), order.scope.clone(), order.proc.clone());
        let started = UnixStream::pair().and_then(|(ours, theirs)| {
            let streams = given.into_iter().flat_map(|given| [given.stdin, given.stdout, given.stderr]);
            let kept = [OwnedFd::from(theirs)].into_iter().chain(streams).collect();
            sys::detach(kept, false, move |kept| start::supervise(order, kept))?;
            Ok(ours)
        });
        Ok(Launching { channel: started.map_err(Error::system("start the supervisor"))?, id, scope, proc })
    }

    /// Waits until the container runs, and commits to it.
    ///
    /// # Errors
    /// Why it could not be started; everything is undone then.
    pub fn finish(self, config: &Config) -> Result<()> {
        let Launching { channel, id, scope, proc } = self;
        let failure = match receive(&channel) {
            Ok(Some(Message::Started)) => match scope.live(&id).map(|dir| dir.commit()) {
                Some(Ok(())) => return Ok(()),
                Some(Err(e)) => e,
                None => Error::Cancelled("destroy asked for the container's end"),
            },
            // Before there was anything to undo: an older container of this id may well be there.
            Ok(Some(Message::Refused(text))) => return Err(Error::Supervisor(text)),
            Ok(Some(Message::Failed(text))) => Error::Supervisor(text),
            Ok(Some(Message::NotExecuted { text, found })) => Error::SupervisorNotExecuted { text, found },
            Ok(None) => Error::Supervisor("the supervisor died during the launch (was it killed?)".into()),
            Err(e) => e,
        };
        // The supervisor sees the hang-up without a commit and undoes everything; if it was killed, another does.
        drop(channel);
        match see_gone(&scope, &id, false, config, &proc) {
            Ok(()) => Err(failure),
            Err(left) => Err(Error::Supervisor(format!("{failure}; and {left}"))),
        }
    }
}

impl AsFd for Launching {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
