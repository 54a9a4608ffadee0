//! What a conformance run has found.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as the contract says; perhaps with a figure.
    Passed(String),
    /// It is not: what was called, what came of it, and what the contract says.
    Failed(String),
    /// It cannot be done here, and why.
    NotDone(String),
}

/// One check that was done, or not.
#[derive(Debug, Clone)]
pub struct Check {
    /// What it is about, in a few words.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// The check without which the others say nothing.
pub(super) const WHOLE_LIFE: &str = "a whole life";

/// All checks of an isolator. Its `Display` is a line for each and one with their numbers.
#[derive(Debug, Clone)]
pub struct Report {
    /// The isolator's name.
    pub isolator: String,
    /// In the order in which they were done.
    pub checks: Vec<Check>,
}

impl Check {
    /// Its line, with names as long as `width`.
    pub(super) fn line(&self, width: usize) -> String {
        let (word, why) = match &self.outcome {
            Outcome::Passed(note) => ("ok      ", note),
            Outcome::Failed(why) => ("FAILED  ", why),
            Outcome::NotDone(why) => ("not done", why),
        };
        let line = format!("{word}  {:width$}  {:>9}  {why}", self.name, milliseconds(self.took));
        format!("{}\n", line.trim_end())
    }
}

impl Report {
    /// The last line.
    pub(super) fn sum(&self) -> String {
        let count = |is: fn(&Outcome) -> bool| self.checks.iter().filter(|check| is(&check.outcome)).count();
        format!(
            "{} passed, {} failed, {} not done\n",
            count(|outcome| matches!(outcome, Outcome::Passed(_))),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
            count(|outcome| matches!(outcome, Outcome::NotDone(_)))
        )
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    /// Whether none has failed and the isolator could be tried at all: one whose cgroups take root, say, has not passed without it.
    pub fn is_passed(&self) -> bool {
        let lived = |check: &Check| check.name == WHOLE_LIFE && matches!(check.outcome, Outcome::Passed(_));
        self.failed().next().is_none() && self.checks.iter().any(lived)
    }

    /// For tests: ends the test with the whole report unless the isolator has passed.
    ///
    /// # Panics
    /// Unless [`Report::is_passed`].
    #[track_caller]
    #[allow(clippy::panic, reason = "a test fails by panicking, and this is for tests alone")]
    pub fn assert_passed(&self) {
        if !self.is_passed() {
            panic!("{self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.isolator)?;
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        self.checks.iter().try_for_each(|check| f.write_str(&check.line(width)))?;
        f.write_str(&self.sum())
    }
}

/// As in `1.2 ms`.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_and_their_numbers() {
        let check = |name: &str, outcome| Check { name: name.into(), outcome, took: Duration::from_micros(1234) };
        let checks = vec![
            check("one", Outcome::Passed(String::new())),
            check("another", Outcome::Failed("it said no".into())),
            check("kill", Outcome::NotDone("several threads".into())),
        ];
        let report = Report { isolator: "a/b".into(), checks };
        let lines = [
            "a/b",
            "ok        one         1.2 ms",
            "FAILED    another     1.2 ms  it said no",
            "not done  kill        1.2 ms  several threads",
            "1 passed, 1 failed, 1 not done\n",
        ];
        assert_eq!(report.to_string(), lines.join("\n"));
        assert!(!report.is_passed());
        let passed = |name| Report { checks: vec![check(name, Outcome::Passed(String::new()))], ..report.clone() };
        assert!(passed(WHOLE_LIFE).is_passed() && !passed("name").is_passed(), "a name alone is nothing");
    }
}
