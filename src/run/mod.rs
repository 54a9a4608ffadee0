//! `mesos-ecp run`: one container in the foreground, for whoever has no agent.
//!
//! What the agent does by calls, this does in one process by the same code: launch, wait, destroy. Between them it copies what
//! the command writes, and looks for signals. The container's supervisor is the one that every launch starts: when this process
//! is killed, the container goes on as under an agent that has died.
#![forbid(unsafe_code)]

mod end;
mod place;
mod record;
mod relay;
mod session;
mod signals;
mod streams;

use std::io::{IsTerminal, Write, stderr};
use std::path::absolute;
use std::time::Duration;

use prost::Message;

use crate::cli::ToRun;
use crate::config::Untrusted;
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::supervisor::{Launching, Order};
use crate::verbs::{self, Context};
use crate::{sys, view};
use place::Place;
use session::{Event, Session};
use signals::Signals;

/// What warnings and notes begin with.
const NAME: &str = "run";

/// How often it is looked whether a launch that is to be called off has come far enough to be destroyed.
const LOOKING: Duration = Duration::from_millis(10);

/// Why there is no exit code of a command.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    code: u8,
    error: Error,
}

impl Failure {
    /// The exit code, as that of env(1) or nohup(1): 127 for a program that is not there, 126 for one that cannot be
    /// executed, 125 for all else.
    pub fn code(&self) -> i32 {
        self.code.into()
    }
}

/// Runs a container to its end, or until it has started if it is to be detached. Called by the main program, once, in a
/// process of its own: signals are blocked from here on.
///
/// Returns the exit code: the command's, 128 + N if it was killed by signal N or this process got that signal, 137 if it
/// exceeded a limit.
///
/// # Errors
/// When it could not be started or not be ended.
pub fn run(to_run: ToRun) -> std::result::Result<i32, Failure> {
    container(to_run).map_err(|error| {
        let code = error.not_executed().map_or(125, |found| if found { 126 } else { 127 });
        Failure { code, error }
    })
}

fn container(mut to_run: ToRun) -> Result<i32> {
    // Before this process can become a container's owner.
    sys::ready_signals();
    let signals = Signals::catch()?;
    // While the working directory is the caller's.
    if let Some(named) = to_run.sandbox.take() {
        to_run.sandbox = Some(absolute(&named).map_err(Error::path("resolve the sandbox", &named))?);
    }
    let stayed = view::leave(true).err();
    // The environment is that of who calls: nobody else has a say in it.
    let untrusted = Untrusted::default();
    let context = Context::with(NAME, &to_run.settings, &untrusted, None)?;
    let id = ContainerId::new(&context.proc.random_uuid()?)?;
    let place = Place::choose(to_run.sandbox.as_deref(), &context.config, &id)?;
    let launch = record::launch(&to_run, &id, place.path())?;
    let mut order = verbs::order(&context, launch.encode_to_vec(), launch, &untrusted, stayed)?;
    // Detached, it would go to a file.
    if stderr().is_terminal() && !to_run.detach && !context.config.quiet {
        order.fetch.show_progress();
    }
    place.make(&order.account)?;
    if !to_run.remove && place.is_new() && !context.config.quiet {
        say(&format!("the sandbox is {}", place.path().display()));
    }
    let result = match to_run.detach {
        true => detached(&context, &id, order, signals),
        false => attached(&context, &id, order, to_run.stdin, signals),
    };
    // What could not be killed still works in it.
    if to_run.remove
        && context.scope.live(&id).is_none()
        && let Err(e) = place.remove()
    {
        context.warn(&e.to_string());
    }
    result
}

/// From the launch to the end.
fn attached(context: &Context, id: &ContainerId, order: Order, stdin: bool, signals: Signals) -> Result<i32> {
    let (streams, relays) = streams::open(stdin)?;
    let mut session = Session::new(signals, relays);
    let started = start(context, id, Launching::begin(order, Some(streams))?, &mut session);
    if !matches!(started, Ok(true)) {
        session.drain();
        return started.map(|_| session.interrupted().unwrap_or(1));
    }
    let end = verbs::end_of(context, id, &mut |owner, patience| {
        Ok(match session.attend(owner, Some(patience))? {
            Event::Ready => true,
            Event::Late => false,
            Event::Signal => {
                verbs::destroy_container(context, id)?;
                true
            }
        })
    })?;
    session.drain();
    if let Some(record) = &end.record
        && let Err(e) = record.remove()
    {
        context.warn(&e.to_string());
    }
    match session.interrupted().filter(|_| end.record.is_some()) {
        Some(code) => Ok(code),
        None => end::code(&end.termination),
    }
}

/// Only the launch. The container is known by its id then.
fn detached(context: &Context, id: &ContainerId, order: Order, signals: Signals) -> Result<i32> {
    let mut session = Session::new(signals, Vec::new());
    if !start(context, id, Launching::begin(order, None)?, &mut session)? {
        return Ok(session.interrupted().unwrap_or(1));
    }
    let printed = std::io::stdout().write_all(format!("{id}\n").as_bytes());
    printed.map_err(|source| Error::Child {
        step: "print the id of",
        subject: format!("container {id}, which runs"),
        source,
    })?;
    Ok(0)
}

/// Waits until the container runs; false if a signal came first, and then nothing is left of it.
fn start(context: &Context, id: &ContainerId, launching: Launching, session: &mut Session) -> Result<bool> {
    loop {
        match session.attend(Some(&launching), None)? {
            Event::Ready => return launching.finish(&context.config).map(|()| true),
            Event::Signal => return call_off(context, id, launching, session).map(|()| false),
            Event::Late => {}
        }
    }
}

/// Destroys a container whose launch is under way: as soon as there is one.
fn call_off(context: &Context, id: &ContainerId, launching: Launching, session: &mut Session) -> Result<()> {
    loop {
        if context.scope.live(id).is_some() {
            return verbs::destroy_container(context, id);
        }
        // Nothing was made so far, or all is undone.
        if matches!(session.attend(Some(&launching), Some(LOOKING))?, Event::Ready) && context.scope.live(id).is_none()
        {
            return Ok(());
        }
    }
}

/// One line for who called.
fn say(text: &str) {
    // If nobody is there to read it, the exit code still says what matters.
    let _ = stderr().write_all(format!("mesos-ecp: {NAME}: {text}\n").as_bytes());
}
