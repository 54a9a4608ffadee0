//! The conformance run: what every isolator has to stand, one check after the other.
#![forbid(unsafe_code)]

mod bad;
mod bench;
mod crash;
mod killed;
mod life;
mod many;
mod program;
mod slow;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::bench::{Bench, Found, Maker, Stop};
use self::killed::Then;
use super::apart;
use super::call::Call;
use super::host::Host;
use super::report::{Check, Outcome, Report, WHOLE_LIFE};
use super::signals::Signals;
use crate::error::Result;
use crate::isolator::Isolator;

/// Checks that fail and take long before the rest is not done any more: a call that hangs does so in nearly every one.
const ENOUGH: usize = 3;
const LONG: Duration = Duration::from_secs(5);

const PROBE: &str = "probe";

/// The calls in which a container's launcher, supervisor or verb can die.
const CALLS: [Call; 8] =
    [Call::Plan, Call::Prepare, Call::Isolate, Call::Watch, Call::Update, Call::Usage, Call::Recover, Call::Cleanup];

/// Checks the isolator that `make` makes against the contract of [`crate::isolator`]: life, double cleanup, crash and recovery, many
/// containers, bad input, slowness. `make` is called for every single call, as if each were in a process of its own.
///
/// In a process with one thread (`mesos-ecp isolator-check`, a program of one's own) each check is a process of its own and calls are
/// killed in their middle as well; in a test of cargo's that is reported as not done.
///
/// The isolator is real, and does here what it does to a host. Isolators with controllers get real cgroups, which takes root.
pub fn check(make: impl Fn() -> Box<dyn Isolator> + Send + Sync + 'static) -> Report {
    Checker::new(make).run()
}

/// A conformance run with other limits than the usual ones.
#[derive(Clone)]
pub struct Checker {
    make: Maker,
    slow_call: Duration,
    slow_usage: Duration,
    limit: Duration,
    lives: usize,
    kills: u32,
    program: Option<PathBuf>,
    program_timeout: Duration,
}

type Body = Box<dyn FnOnce(&Bench<'_>) -> Found + Send>;

impl Checker {
    /// The usual one: as in [`check`].
    pub fn new(make: impl Fn() -> Box<dyn Isolator> + Send + Sync + 'static) -> Checker {
        Checker::fallible(move || Ok(make()))
    }

    /// For an isolator that cannot always be made.
    pub fn fallible(make: impl Fn() -> Result<Box<dyn Isolator>> + Send + Sync + 'static) -> Checker {
        Checker {
            make: Arc::new(make),
            slow_call: Duration::from_secs(1),
            slow_usage: Duration::from_millis(250),
            limit: Duration::from_secs(60),
            lives: 20,
            kills: 3,
            program: None,
            program_timeout: Duration::from_secs(10),
        }
    }

    /// What is too slow: for any call (1 s), and for `usage` (250 ms), which may be called every second for each container.
    #[must_use]
    pub fn slow(self, call: Duration, usage: Duration) -> Checker {
        Checker { slow_call: call, slow_usage: usage, ..self }
    }

    /// After how long a check counts as hanging (60 s).
    #[must_use]
    pub fn limit(self, limit: Duration) -> Checker {
        Checker { limit, ..self }
    }

    /// How many containers are launched and ended one after the other (20): more than what an isolator can give away in all.
    #[must_use]
    pub fn lives(self, lives: usize) -> Checker {
        Checker { lives, ..self }
    }

    /// How often each call is killed (3).
    #[must_use]
    pub fn kills(self, kills: u32) -> Checker {
        Checker { kills, ..self }
    }

    /// The isolator is this program, one call of which may take `timeout`: it is run directly as well.
    #[must_use]
    pub fn program(self, program: PathBuf, timeout: Duration) -> Checker {
        Checker { program: Some(program), program_timeout: timeout, limit: self.limit.max(timeout * 4), ..self }
    }

    /// Does all of it, which takes some seconds.
    pub fn run(&self) -> Report {
        self.run_telling(None, &mut |_, _| {})
    }

    /// The same, and tells of each check when it is done, with the length of the longest name. Ends early when a signal comes.
    pub(super) fn run_telling(&self, signals: Option<&Signals>, tell: &mut dyn FnMut(&Check, usize)) -> Report {
        let isolator = (self.make)().map_or_else(|e| e.to_string(), |isolator| isolator.name().to_owned());
        let mut all: Vec<(String, Body)> =
            vec![("name".into(), Box::new(life::name)), (PROBE.into(), Box::new(life::probe))];
        all.extend(self.rest());
        let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut run = Run { checker: self, signals, tell, width, checks: Vec::new(), calls: Vec::new(), endless: 0 };
        let mut all = all.into_iter();
        while let Some((name, body)) = all.next() {
            let outcome = run.one(&name, body);
            let is_passed = matches!(outcome, Outcome::Passed(_));
            let why = match &*name {
                _ if signals.is_some_and(|signals| signals.came().is_some()) => "interrupted",
                PROBE if !is_passed => "the probe has not passed",
                WHOLE_LIFE if !is_passed => "a whole life has not passed",
                _ if run.endless >= ENOUGH => "three others took too long",
                _ => continue,
            };
            let rest = match (all.next(), all.len()) {
                (None, _) => break,
                (Some((name, _)), 0) => name,
                (Some(_), more) => format!("the rest ({} checks)", more + 1),
            };
            run.not_done(rest, why);
            break;
        }
        if !run.calls.is_empty() {
            let outcome = slow::judge(&run.calls, self.slow_call, self.slow_usage);
            run.push(Check { name: "quickness".into(), outcome, took: run.calls.iter().map(|(_, took)| *took).sum() });
        }
        Report { isolator, checks: run.checks }
    }

    /// Makes one.
    pub(super) fn make(&self) -> Result<Box<dyn Isolator>> {
        (self.make)()
    }

    /// After how long a check counts as hanging.
    pub(super) fn longest(&self) -> Duration {
        self.limit
    }

    /// For a check that fails.
    fn long(&self) -> Duration {
        if self.program.is_some() { self.program_timeout.min(LONG) } else { LONG }
    }

    /// All that need a host on which it works.
    fn rest(&self) -> Vec<(String, Body)> {
        let mut all: Vec<(String, Body)> = Vec::new();
        let mut add = |name: &str, body: Body| all.push((name.to_owned(), body));
        add(WHOLE_LIFE, Box::new(life::whole));
        // What is leaked is missing in all that follow.
        add(&format!("{} lives in a row", self.lives), Box::new(many::in_a_row));
        add("as many at once as there can be", Box::new(many::until_refused));
        add("watch", Box::new(life::watch));
        add("usage", Box::new(life::usage));
        add("update", Box::new(life::update));
        add("recover", Box::new(life::recover));
        add("cleanup twice", Box::new(life::cleanup_twice));
        add("cleanup of what was only planned", Box::new(life::cleanup_of_a_plan));
        add("cleanup of what was never planned", Box::new(life::cleanup_of_nothing));
        add("cleanup without the sandbox", Box::new(life::cleanup_without_sandbox));
        for call in CALLS {
            add(&format!("crash after {call}"), Box::new(move |bench| crash::after(bench, call)));
        }
        add("crash after update, and another", Box::new(crash::after_update_and_again));
        for call in CALLS {
            let body = move |bench: &Bench<'_>| killed::in_the_middle_of(bench, call, Then::TakeOver);
            add(&format!("kill -9 in {call}"), Box::new(body));
        }
        let again = |bench: &Bench<'_>| killed::in_the_middle_of(bench, Call::Update, Then::Again);
        add("kill -9 in update, and another", Box::new(again));
        add("two containers at once", Box::new(many::two_at_once));
        add("facts that are garbage", Box::new(bad::garbage));
        add("facts of another container", Box::new(bad::facts_of_another));
        add("the longest id", Box::new(bad::longest_id));
        add("no resources", Box::new(|bench| bad::resources(bench, "")));
        add("huge resources", Box::new(|bench| bad::resources(bench, bad::HUGE)));
        if self.program.is_some() {
            add("program: describe", Box::new(program::describe));
            add("program: an unknown call", Box::new(program::unknown));
            add("program: garbage for a record", Box::new(program::garbage));
            add("program: a closed input", Box::new(program::closed));
        }
        all
    }
}

/// A run under way.
struct Run<'c> {
    checker: &'c Checker,
    signals: Option<&'c Signals>,
    tell: &'c mut dyn FnMut(&Check, usize),
    width: usize,
    checks: Vec<Check>,
    /// All calls that came back.
    calls: Vec<(Call, Duration)>,
    /// The checks that took too long.
    endless: usize,
}

impl Run<'_> {
    fn push(&mut self, check: Check) {
        (self.tell)(&check, self.width);
        self.checks.push(check);
    }

    fn not_done(&mut self, name: String, why: &str) {
        self.push(Check { name, outcome: Outcome::NotDone(why.to_owned()), took: Duration::ZERO });
    }

    fn one(&mut self, name: &str, body: Body) -> Outcome {
        let host = match Host::new() {
            Ok(host) => Arc::new(host),
            Err(e) => {
                let outcome = Outcome::NotDone(e.to_string());
                self.push(Check { name: name.to_owned(), outcome: outcome.clone(), took: Duration::ZERO });
                return outcome;
            }
        };
        let (theirs, checker) = (Arc::clone(&host), self.checker.clone());
        let mut ran = apart::run(self.checker.limit, self.signals, move |trace| {
            match body(&Bench { host: &theirs, checker: &checker, trace }) {
                Ok(note) => Outcome::Passed(note),
                Err(Stop::Failed(why)) => Outcome::Failed(why),
                Err(Stop::NotDone(why)) => Outcome::NotDone(why),
            }
        });
        // By name: a thread that hangs has it as well.
        host.remove();
        // What calls before the last cleanup had left was ended before it.
        let left = ran.left.filter(|left| !left.is_empty());
        if let (Some(left), Outcome::Passed(_)) = (left, &ran.outcome) {
            ran.outcome = Outcome::Failed(format!(
                "processes are left running by the last cleanup, and nobody would ever end them: {}",
                left.join(", ")
            ));
        }
        let failed = matches!(ran.outcome, Outcome::Failed(_));
        self.endless += usize::from(ran.hung || failed && ran.took >= self.checker.long());
        self.calls.extend(ran.calls);
        self.push(Check { name: name.to_owned(), outcome: ran.outcome.clone(), took: ran.took });
        ran.outcome
    }
}

#[cfg(test)]
mod tests;
