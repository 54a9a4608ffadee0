//! What a check works with.
#![forbid(unsafe_code)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Checker;
use crate::error::{Error, Result};
use crate::isolator::{Isolator, Preparation};
use crate::launcher::{Command, envp};
use crate::protocol::mesos::CommandInfo;
use crate::testing::call::Trace;
use crate::testing::{Call, Host, Life};

pub(super) type Maker = Arc<dyn Fn() -> Result<Box<dyn Isolator>> + Send + Sync>;

/// Why a check has not passed.
pub(super) enum Stop {
    Failed(String),
    NotDone(String),
}

/// What comes of one that has passed: perhaps a figure.
pub(super) type Found = std::result::Result<String, Stop>;

/// For a result of which the contract says that it is good.
pub(super) trait Must<T> {
    /// What the contract says.
    fn must(self, rule: &str) -> std::result::Result<T, Stop>;
}

impl<T> Must<T> for Result<T> {
    fn must(self, rule: &str) -> std::result::Result<T, Stop> {
        self.map_err(|e| Stop::Failed(format!("{e} -- {rule}")))
    }
}

/// What is not the isolator's fault.
pub(super) fn not_done(e: Error) -> Stop {
    Stop::NotDone(e.to_string())
}

/// A check's surroundings.
pub(super) struct Bench<'b> {
    pub(super) host: &'b Host,
    pub(super) checker: &'b Checker,
    pub(super) trace: &'b Trace,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// What a container has from its launch on.
pub(super) const SAME: &str = "cpus:1;mem:64";
pub(super) const MORE: &str = "cpus:2;mem:128";
pub(super) const FEWER: &str = "cpus:0.5;mem:32";

/// After a signal was sent, it is given that long.
const SETTLING: Duration = Duration::from_millis(5);

/// As the supervisor tries a cleanup again.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

impl<'b> Bench<'b> {
    pub(super) fn make(&self) -> std::result::Result<Box<dyn Isolator>, Stop> {
        (self.checker.make)().must("it must be possible to make it")
    }

    /// A container that is going to be launched, of a new id.
    pub(super) fn life(&self) -> std::result::Result<Life<'b>, Stop> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.life_of(&format!("check-{}-{number}", std::process::id()))
    }

    pub(super) fn life_of(&self, id: &str) -> std::result::Result<Life<'b>, Stop> {
        let make = Arc::clone(&self.checker.make);
        Life::fallible(self.host, id, Box::new(move || make()), Some(self.trace)).map_err(not_done)
    }

    /// One whose first process is there and is isolated.
    pub(super) fn launched(&self) -> std::result::Result<Life<'b>, Stop> {
        let mut life = self.life()?;
        let prepared =
            life.launch().must("a container with cpus and mem that asks for nothing else can be launched")?;
        fits(&prepared)?;
        Ok(life)
    }

    /// One more while others run, which may be more than there is to share out.
    pub(super) fn launched_as_well(&self) -> std::result::Result<Life<'b>, Stop> {
        let mut life = self.life()?;
        if let Err(why) = life.launch() {
            end_after_a_crash(&mut life)?;
            return Err(Stop::NotDone(format!("a second container is refused: {why}")));
        }
        Ok(life)
    }

    /// Resources for an update that changes them: more than a container has, where the host has as much to give.
    pub(super) fn changed(&self) -> std::result::Result<&'static str, Stop> {
        let mut life = self.launched()?;
        let resources = if life.update(MORE).is_ok() { MORE } else { FEWER };
        end_after_a_crash(&mut life)?;
        Ok(resources)
    }
}

/// The first process has still to be there: all that it does is sleep.
pub(super) fn lives_on(life: &mut Life<'_>, call: Call) -> std::result::Result<(), Stop> {
    std::thread::sleep(SETTLING);
    match life.first_has_ended() {
        None => Ok(()),
        Some(status) => Err(Stop::Failed(format!(
            "the first process, which only sleeps, has ended with {call} ({status}) -- no call but cleanup ends a container"
        ))),
    }
}

/// Whether the first process could be executed with what was prepared.
fn fits(prepared: &Preparation) -> std::result::Result<(), Stop> {
    let rule = "prepare returned it, and no container can be launched with it";
    envp(&prepared.environment).must(rule)?;
    let info = CommandInfo { value: Some("sleep 1000".into()), ..CommandInfo::default() };
    let command = Command::new(&info, &prepared.environment).must(rule)?;
    command.behind(prepared.argv.clone()).must(rule)?;
    // With other mounts it is somewhere else.
    let program = prepared.argv.first().filter(|_| prepared.root.is_none() && prepared.mounts.is_empty());
    let Some(program) = program.map(Path::new) else { return Ok(()) };
    let failed = |why: &str| Err(Stop::Failed(format!("argv begins with {}, {why} -- {rule}", program.display())));
    match std::fs::metadata(program) {
        _ if !program.is_absolute() => failed("which is no absolute path"),
        Err(e) => failed(&format!("which cannot be executed: {e}")),
        Ok(found) if !found.is_file() || found.permissions().mode() & 0o111 == 0 => {
            failed("which is no executable file")
        }
        Ok(_) => Ok(()),
    }
}

/// Ends a container in the way in which one is after a crash: what is busy for a moment is tried again.
pub(super) fn end_after_a_crash(life: &mut Life<'_>) -> std::result::Result<(), Stop> {
    life.end();
    for pause in PAUSES {
        if life.cleanup().is_ok() {
            return Ok(());
        }
        std::thread::sleep(pause);
    }
    life.cleanup().must("cleanup undoes whatever was made, as far as it was made (tried three times)")
}
