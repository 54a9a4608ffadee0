//! What becomes of each number of an interface: the profile's rules, ordered by the numbers that they are for.
#![forbid(unsafe_code)]

mod multiplexed;

use super::abi::{Abi, X32_BIT};
use super::action::Action;
use super::host::Host;
use super::profile::{Condition, Profile, Rule};
use super::table::{self, Syscall};
use crate::weaken;

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    /// The first whose conditions all hold; none is without conditions.
    pub(super) tests: Vec<(Vec<Condition>, Action)>,
    /// If there is none.
    pub(super) otherwise: Action,
}

impl Decision {
    pub(super) fn plain(action: Action) -> Decision {
        Decision { tests: Vec::new(), otherwise: action }
    }
}

/// From a number on, up to that of the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) from: u32,
    pub(super) decision: Decision,
}

/// A tracer that skips a call puts this in place of its number. There is no such call: it fails with ENOSYS if let through.
const SKIPPED: u32 = u32::MAX;

/// A profile whose names were looked up.
pub(super) struct Calls<'a> {
    default: Action,
    /// In the order of the file.
    known: Vec<Call<'a>>,
    /// Names that no interface has, sorted, each once: calls of other machines or newer kernels, or mistyped.
    pub(super) unknown: Vec<String>,
}

/// A call and a rule that is for it.
struct Call<'a> {
    name: &'a str,
    syscall: Syscall,
    rule: &'a Rule<'a>,
    /// The rule counts on this host.
    counts: bool,
}

impl<'a> Calls<'a> {
    pub(super) fn of(profile: &'a Profile<'a>, host: &Host) -> Calls<'a> {
        let (mut known, mut unknown) = (Vec::with_capacity(512), Vec::new());
        for rule in &profile.rules {
            let counts = host.has(rule);
            for name in &rule.names {
                match table::find(name) {
                    Some(syscall) => known.push(Call { name, syscall, rule, counts }),
                    None => unknown.push(name.to_string()),
                }
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        Calls { default: profile.default_action, known, unknown }
    }
}

/// All numbers of these interfaces, which have the same `arch` in the eyes of the filter, from 0 on.
pub(super) fn decide(calls: &Calls<'_>, abis: &[Abi]) -> Vec<Interval> {
    let mut line = Line::default();
    for abi in abis {
        one(calls, *abi, &mut line);
    }
    // The x32 bit tells x32 from x86_64. Elsewhere such numbers are just unknown.
    if abis.first() == Some(&Abi::X86_64) && !abis.contains(&Abi::X32) {
        line.up_to(X32_BIT, &Decision::plain(calls.default));
        line.up_to(SKIPPED, &Decision::plain(stranger()));
    }
    line.up_to(SKIPPED, &Decision::plain(calls.default));
    line.push(SKIPPED, Decision::plain(Action::Allow));
    line.intervals
}

/// What becomes of calls by an interface that the profile does not name.
pub(super) fn stranger() -> Action {
    if weaken::is("seccomp-interfaces") { Action::Allow } else { Action::KillProcess }
}

/// The numbers of one interface.
fn one(calls: &Calls<'_>, abi: Abi, line: &mut Line) {
    let mut entries: Vec<(u32, Case<'_>)> = Vec::with_capacity(calls.known.len());
    // The highest that the author of the profile knew of, whether the rule counts or not.
    let mut newest = None;
    for call in &calls.known {
        let number = call.syscall.number(abi);
        newest = newest.max(number.filter(|number| *number < abi.ordinary_end()));
        if call.counts {
            entries.extend(number.map(|number| (number, Case::of(call.rule))));
            entries.extend(multiplexed::cases(abi, call.name, call.rule));
        }
    }
    // Stable: what has the same number stays in the order of the file.
    entries.sort_by_key(|(number, _)| *number);
    let default = Decision::plain(calls.default);
    let unknown = match (calls.default, newest) {
        (Action::Errno(_), Some(newest)) => (newest + 1, Decision::plain(Action::Errno(libc::ENOSYS as u16))),
        _ => (abi.ordinary_end(), default.clone()),
    };
    let until = |line: &mut Line, end: u32| {
        line.up_to(end.min(unknown.0), &default);
        line.up_to(end.min(abi.ordinary_end()), &unknown.1);
        line.up_to(end, &default);
    };
    until(line, abi.number_bits());
    for cases in entries.chunk_by(|a, b| a.0 == b.0) {
        let Some((number, _)) = cases.first() else { continue };
        until(line, *number);
        line.push(*number, merged(cases.iter().map(|(_, case)| case), calls.default));
    }
    until(line, abi.ordinary_end());
}

/// One rule's part in what becomes of a number.
enum Case<'a> {
    Rule(&'a [Condition], Action),
    Multiplexed([Condition; 1], Action),
}

impl<'a> Case<'a> {
    fn of(rule: &'a Rule<'_>) -> Case<'a> {
        Case::Rule(&rule.conditions, rule.action)
    }

    fn parts(&self) -> (&[Condition], Action) {
        match self {
            Case::Rule(conditions, action) => (conditions, *action),
            Case::Multiplexed(conditions, action) => (conditions, *action),
        }
    }
}

fn merged<'a>(cases: impl Iterator<Item = &'a Case<'a>> + Clone, default: Action) -> Decision {
    let parts = cases.map(Case::parts);
    let otherwise = parts.clone().find(|(conditions, _)| conditions.is_empty()).map_or(default, |(_, action)| action);
    let with_conditions = parts.filter(|(conditions, _)| !conditions.is_empty());
    let mut tests: Vec<_> = with_conditions.map(|(conditions, action)| (conditions.to_vec(), action)).collect();
    while tests.last().is_some_and(|(_, action)| *action == otherwise) {
        tests.pop();
    }
    Decision { tests, otherwise }
}

/// Intervals without holes; neighbours that are decided alike are one.
#[derive(Default)]
struct Line {
    intervals: Vec<Interval>,
    /// All below is decided.
    end: u32,
}

impl Line {
    /// What is not decided yet below `end`.
    fn up_to(&mut self, end: u32, decision: &Decision) {
        if self.end < end {
            self.add(self.end, decision.clone());
            self.end = end;
        }
    }

    /// One number, the next one.
    fn push(&mut self, number: u32, decision: Decision) {
        self.add(number, decision);
        self.end = number.saturating_add(1);
    }

    fn add(&mut self, from: u32, decision: Decision) {
        if self.intervals.last().is_none_or(|last| last.decision != decision) {
            self.intervals.push(Interval { from, decision });
        }
    }
}
