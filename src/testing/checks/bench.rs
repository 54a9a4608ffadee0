//! What a check works with.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Checker;
use crate::error::{Error, Result};
use crate::isolator::Isolator;
use crate::testing::call::Trace;
use crate::testing::{Host, Life};

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
        life.launch().must("a container with cpus and mem that asks for nothing else can be launched")?;
        Ok(life)
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
