//! `program/NAME`: an isolator that is an executable of the operator's, in any language.
//!
//! It is called as `NAME CALL` with one `Call` record on stdin and answers with one `Reply` record on stdout
//! (proto/isolator.proto, framed as the verbs' own records). It keeps no memory either: its facts are stored and handed
//! back like any isolator's. A call that is not for it, it answers with an empty record.
#![forbid(unsafe_code)]

mod run;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use prost::Message;

use super::{PROGRAM, Settings};
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Limitation, Preparation, Watch, Watched};
use crate::protocol::isolator::{Call, Reply};
use crate::protocol::mesos::{Resource, ResourceStatistics};
use crate::protocol::{decode, read_record};

/// A program isolator.
#[derive(Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    timeout: Duration,
}

/// Is made even if the container's resources cannot be read.
const CLEANUP: &str = "cleanup";

/// mesos.TaskStatus.Reason REASON_CONTAINER_LIMITATION, agent 0.26 and later.
const REASON_CONTAINER_LIMITATION: i32 = 19;

impl Program {
    /// The isolator NAME of `program/NAME`.
    ///
    /// # Errors
    /// When NAME is not a plain file name.
    pub fn new(name: &str, settings: &Settings) -> Result<Program> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '+']) || name.chars().any(char::is_control) {
            return Err(Error::Refused(format!(
                "isolator \"{PROGRAM}{}\" is refused: after the slash stands the name of a program in {}",
                name.escape_default(),
                settings.isolator_dir.display()
            )));
        }
        let path = settings.isolator_dir.join(name);
        Ok(Program { name: format!("{PROGRAM}{name}"), path, timeout: settings.isolator_timeout })
    }

    fn record(&self, container: &Container<'_>, facts: &Facts, resources: &[Resource]) -> Vec<u8> {
        let call = Call {
            container_id: container.id.as_str().to_owned(),
            facts: (!facts.is_empty()).then(|| facts.clone()),
            sandbox: Some(container.sandbox.to_string_lossy().into_owned()),
            user: container.user.map(str::to_owned),
            pid: container.first.map(|p| p.pid),
            resources: resources.to_vec(),
        };
        let body = call.encode_to_vec();
        [&(body.len() as u32).to_ne_bytes()[..], &body].concat()
    }

    fn call(&self, call: &str, container: &Container<'_>, facts: &Facts) -> Result<Reply> {
        let resources = match container.resources() {
            // It gets no others; what it made must be undone all the same.
            Err(_) if call == CLEANUP => &[],
            resources => resources?,
        };
        let record = self.record(container, facts, resources);
        let answer = run::run(&self.path, call, &record, Instant::now() + self.timeout)?;
        self.reply(call, &answer)
    }

    fn reply(&self, call: &str, answer: &[u8]) -> Result<Reply> {
        let reply = self.decode(call, answer)?;
        match &reply.error {
            Some(error) => Err(Error::Refused(format!("{} {call} says: {error}", self.path.display()))),
            None => Ok(reply),
        }
    }

    fn decode(&self, call: &str, answer: &[u8]) -> Result<Reply> {
        read_record(&mut &answer[..]).and_then(|bytes| decode(&bytes)).map_err(|e| {
            Error::Refused(format!("{} {call} answered something that is not a Reply record: {e}", self.path.display()))
        })
    }
}

impl Isolator for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn probe(&self) -> Result<()> {
        for path in [self.path.parent().unwrap_or(Path::new("/")), &self.path] {
            let found = std::fs::metadata(path).map_err(Error::path("look for the isolator", path))?;
            let me = nix::unistd::geteuid().as_raw();
            if (found.uid() != 0 && found.uid() != me) || found.mode() & 0o022 != 0 {
                return Err(Error::Refused(format!(
                    "{} must belong to root and not be writable by others (it is uid {}'s, mode {:04o}): it runs as root",
                    path.display(),
                    found.uid(),
                    found.mode() & 0o7777
                )));
            }
        }
        Ok(())
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        Ok(self.call("plan", container, &Facts::new())?.facts.unwrap_or_default())
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        let reply = self.call("prepare", container, facts)?;
        let variables = reply.environment.unwrap_or_default().variables;
        Ok(Preparation {
            facts: reply.facts,
            environment: variables.into_iter().map(|v| (v.name.into(), v.value.into())).collect(),
            ..Preparation::default()
        })
    }

    fn isolate(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.call("isolate", container, facts).map(drop)
    }

    /// The program runs as long as it likes; when it ends, what it has written counts: a Reply with an error ends the
    /// container with that message, anything else (nothing at all, say) ends only the watching.
    fn watch(&self, container: &Container<'_>, facts: &Facts) -> Result<Vec<Watch>> {
        let fd = run::start_watch(&self.path, &self.record(container, facts, container.resources()?))?;
        Ok(vec![Watch { fd, events: PollFlags::empty() }])
    }

    fn ready(&self, _container: &Container<'_>, _facts: &Facts, fd: BorrowedFd<'_>) -> Result<Watched> {
        // Polled for POLLHUP only: whatever it wrote is in the pipe, so reading does not block.
        let fd: OwnedFd = fd.try_clone_to_owned().map_err(Error::system("duplicate the watch's pipe"))?;
        let answer = run::read_bounded(fd)?;
        if answer.is_empty() {
            return Ok(Watched::Done);
        }
        Ok(match self.decode("watch", &answer)?.error {
            Some(message) => Watched::Limited(Limitation { message, reason: REASON_CONTAINER_LIMITATION }),
            None => Watched::Done,
        })
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        Ok(self.call("update", container, facts)?.facts)
    }

    fn usage(&self, container: &Container<'_>, facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        if let Some(part) = self.call("usage", container, facts)?.statistics {
            // Merging is what protobuf does when the same message comes twice: what the part has, wins. The record's
            // timestamp is required, so the part has one; ours is the one that counts.
            let timestamp = statistics.timestamp;
            statistics.merge(&part.encode_to_vec()[..]).map_err(|e| Error::Refused(format!("cannot merge: {e}")))?;
            statistics.timestamp = timestamp;
        }
        Ok(())
    }

    fn recover(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        Ok(self.call("recover", container, facts)?.facts)
    }

    fn cleanup(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.call(CLEANUP, container, facts).map(drop)
    }
}
