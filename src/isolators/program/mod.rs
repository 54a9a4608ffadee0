//! `program/NAME`: an isolator that is an executable of the operator's, in any language.
//!
//! It is called as `NAME CALL`, gets one message on stdin and answers with one on stdout (proto/isolator.proto), as a record like
//! those of the verbs or as a line of JSON. It keeps no memory either: its facts are stored and handed back like any
//! isolator's. What it has to do with it says once, at launch ([`Description`]); of the other calls none is made.
#![forbid(unsafe_code)]

mod call;
mod description;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod prepared;
mod run;
mod trust;
mod watching;
mod words;

use std::cell::{OnceCell, RefCell};
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use prost::Message;

use self::description::Description;
use self::watching::Watching;
use super::{PROGRAM, Settings};
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Preparation, Watch, Watched};
use crate::protocol::isolator::Reply;
use crate::protocol::mesos::{Resource, ResourceStatistics};

pub(super) use call::{environment, marks, message};
pub(super) use run::{Invocation, run};
pub(super) use words::tell;

/// A program isolator.
#[derive(Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    timeout: Duration,
    /// Of a container that runs, as it was at its launch.
    description: OnceCell<Description>,
    /// In the supervisor only.
    watching: RefCell<Option<Watching>>,
}

/// Is made even if the container's resources cannot be read.
const CLEANUP: &str = "cleanup";

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
        let name = format!("{PROGRAM}{name}");
        let description = OnceCell::new();
        if let Some(kept) = settings.described.as_ref() {
            let kept = kept.get(&name).map_or(Description::UNKNOWN, |bytes| Description::kept(bytes));
            // It is empty, so this cannot fail.
            let _ = description.set(kept);
        }
        Ok(Program { name, path, timeout: settings.isolator_timeout, description, watching: RefCell::default() })
    }

    /// What it says of itself; it is asked once.
    fn description(&self) -> Result<&Description> {
        if let Some(known) = self.description.get() {
            return Ok(known);
        }
        let answer = self.run("describe", None, b"")?;
        let found = Description::of(&answer).map_err(|e| self.answered("describe", &e))?;
        Ok(self.description.get_or_init(|| found))
    }

    /// Before anybody asked, there is nothing that it takes part in.
    fn takes_part(&self, call: &str) -> bool {
        self.description.get().is_some_and(|description| description.has(call))
    }

    fn answered(&self, call: &str, why: &Error) -> Error {
        Error::Refused(format!("{} {call} answered something that it must not: {why}", self.path.display()))
    }

    fn invocation<'a>(&self, call: &'a str, container: Option<&Container<'_>>) -> Result<Invocation<'a>> {
        trust::check(&self.path)?;
        Ok(Invocation {
            program: self.path.clone(),
            arguments: vec![OsStr::new(call)],
            environment: environment(container),
            shown: format!("{} {call}", self.path.display()),
        })
    }

    /// Runs one call to its end. What the program writes to stderr goes to where somebody finds it.
    fn run(&self, call: &str, container: Option<&Container<'_>>, input: &[u8]) -> Result<Vec<u8>> {
        let ran = run(&self.invocation(call, container)?, input, Instant::now() + self.timeout);
        tell(container, &self.name, call, &ran.words);
        // One that says why it fails and says so by its exit code as well.
        let own = call::reply(call, &ran.output).ok().and_then(|reply| reply.error);
        match (ran.answer, own) {
            (Err(e), Some(own)) => Err(Error::Refused(format!("{e}: {}", call::one_line(&own)))),
            (Err(e), None) => Err(e),
            (Ok(()), _) => Ok(ran.output),
        }
    }

    fn input(&self, call: &str, container: &Container<'_>, facts: &Facts) -> Result<Vec<u8>> {
        let resources: &[Resource] = match container.resources() {
            // It gets no others; what it made must be undone all the same.
            Err(_) if call == CLEANUP => &[],
            resources => resources?,
        };
        let description = self.description()?;
        let message = message(container, facts, resources, &description.controllers);
        description.form.write(call::NAME, message.encode_to_vec())
    }

    /// An empty reply where the program takes no part.
    fn call(&self, call: &str, container: &Container<'_>, facts: &Facts) -> Result<Reply> {
        if !self.description()?.has(call) {
            return Ok(Reply::default());
        }
        let answer = self.run(call, Some(container), &self.input(call, container, facts)?)?;
        self.reply(call, &answer)
    }

    fn reply(&self, call: &str, answer: &[u8]) -> Result<Reply> {
        let reply = call::reply(call, answer).map_err(|e| self.answered(call, &e))?;
        match &reply.error {
            Some(error) => {
                Err(Error::Refused(format!("{} {call} says: {}", self.path.display(), call::one_line(error))))
            }
            None => Ok(reply),
        }
    }

    /// New facts, where the program has given any.
    fn facts(reply: Reply) -> Option<Facts> {
        reply.facts.map(String::into_bytes)
    }
}

impl Isolator for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn controllers(&self) -> &[&'static str] {
        self.description.get().map_or(&[], |description| &description.controllers)
    }

    fn probe(&self) -> Result<()> {
        trust::check_whole(&self.path)?;
        if !self.description()?.has("probe") {
            return Ok(());
        }
        let empty = self.description()?.form.write(call::NAME, Vec::new())?;
        let answer = self.run("probe", None, &empty)?;
        self.reply("probe", &answer).map(drop)
    }

    fn described(&self) -> Option<Vec<u8>> {
        self.description.get().map(Description::to_keep)
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        Ok(Program::facts(self.call("plan", container, &Facts::new())?).unwrap_or_default())
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        let reply = self.call("prepare", container, facts)?;
        prepared::preparation(reply, container).map_err(|e| self.answered("prepare", &e))
    }

    fn isolate(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.call("isolate", container, facts).map(drop)
    }

    /// The program runs as long as it likes. A reply with an error, whenever it comes, ends the container with that message; its
    /// end without one ends only the watching.
    fn watch(&self, container: &Container<'_>, facts: &Facts) -> Result<Vec<Watch>> {
        if !self.description()?.has("watch") {
            return Ok(Vec::new());
        }
        let what = self.invocation("watch", Some(container))?;
        let input = self.input("watch", container, facts)?;
        let (watching, watches) = Watching::start(&what, &input, self.description()?)?;
        *self.watching.borrow_mut() = Some(watching);
        Ok(watches)
    }

    fn ready(&self, container: &Container<'_>, _facts: &Facts, fd: BorrowedFd<'_>) -> Result<Watched> {
        match self.watching.borrow_mut().as_mut() {
            Some(watching) => watching.ready(&self.name, container, fd).map_err(|e| self.answered("watch", &e)),
            None => Ok(Watched::Done),
        }
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.call("update", container, facts).map(Program::facts)
    }

    fn measures(&self) -> bool {
        self.takes_part("usage")
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
        self.call("recover", container, facts).map(Program::facts)
    }

    fn cleanup(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.call(CLEANUP, container, facts).map(drop)
    }
}
