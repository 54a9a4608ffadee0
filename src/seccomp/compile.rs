//! From a profile to the filter that the kernel runs.
//!
//! The numbers of calls are intervals that are decided alike, and found by halving: a call costs about eight comparisons,
//! however many the profile names. (Since Linux 5.11 the kernel notes the numbers that are let through whatever their arguments are, and
//! does not run the filter for them at all.)
#![forbid(unsafe_code)]

use libc::sock_filter;

use super::abi::Abi;
use super::action::Action;
use super::assemble::{Assembler, Label, Test};
use super::decide::{Calls, Decision, Interval, decide, stranger};
use super::error::ProfileError;
use super::host::Host;
use super::profile::{Comparison, Condition, Profile};

/// BPF_MAXINSNS of linux/bpf_common.h.
pub const MOST_INSTRUCTIONS: usize = 4096;

// struct seccomp_data of linux/seccomp.h.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// A filter, and what is to be known about it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// For seccomp(2).
    pub program: Vec<sock_filter>,
    /// Names in the profile that no interface has, sorted. They do nothing.
    pub unknown: Vec<String>,
}

/// The filter of a profile on a host.
///
/// # Errors
/// When it would be longer than the kernel takes.
pub fn compile(profile: &Profile<'_>, host: &Host) -> Result<Compiled, ProfileError> {
    let mut by_arch: Vec<(u32, Vec<Abi>)> = Vec::new();
    for abi in host.abis(profile) {
        match by_arch.iter_mut().find(|(arch, _)| *arch == abi.audit()) {
            Some((_, abis)) => abis.push(abi),
            None => by_arch.push((abi.audit(), vec![abi])),
        }
    }
    let calls = Calls::of(profile, host);
    let mut assembler = Assembler::default();
    let mut next = assembler.answer(stranger().value());
    // From the last one to the first one, which is tested first.
    for (arch, abis) in by_arch.iter().rev() {
        let lower_only = abis.iter().any(|abi| abi.is_32_bit());
        let mut writer = Writer { assembler: &mut assembler, lower_only };
        let tree = writer.tree(&decide(&calls, abis));
        let start = assembler.load(NUMBER_AT, tree);
        next = assembler.branch(Test::Equal, *arch, start, next);
    }
    assembler.load(ARCH_AT, next);
    let program = assembler.finish();
    if program.len() > MOST_INSTRUCTIONS {
        return Err(ProfileError::TooLong { length: program.len(), most: MOST_INSTRUCTIONS });
    }
    Ok(Compiled { program, unknown: calls.unknown })
}

/// Writes what decides about the calls of one `arch`.
struct Writer<'a> {
    assembler: &'a mut Assembler,
    /// Arguments have 32 bits.
    lower_only: bool,
}

impl Writer<'_> {
    /// Decides by the number, which is loaded.
    fn tree(&mut self, intervals: &[Interval]) -> Label {
        match intervals {
            // There always is one.
            [] => self.assembler.answer(Action::KillProcess.value()),
            [one] => self.decision(&one.decision),
            several => {
                let (lower, upper) = several.split_at(several.len() / 2);
                let right = self.tree(upper);
                let left = self.tree(lower);
                let from = upper.first().map_or(0, |interval| interval.from);
                self.assembler.branch(Test::GreaterOrEqual, from, right, left)
            }
        }
    }

    /// Decides by the arguments.
    fn decision(&mut self, decision: &Decision) -> Label {
        let mut next = self.assembler.answer(decision.otherwise.value());
        for (conditions, action) in decision.tests.iter().rev() {
            let matched = self.assembler.answer(action.value());
            next = conditions.iter().rev().fold(matched, |yes, condition| self.condition(condition, yes, next));
        }
        next
    }

    fn condition(&mut self, condition: &Condition, yes: Label, no: Label) -> Label {
        let value = condition.value;
        match condition.comparison {
            Comparison::Equal => self.equal(condition, value, u64::MAX, yes, no),
            Comparison::NotEqual => self.equal(condition, value, u64::MAX, no, yes),
            Comparison::MaskedEqual => self.equal(condition, condition.value_two, value, yes, no),
            Comparison::Greater => self.ordered(condition, Test::Greater, yes, no),
            Comparison::GreaterOrEqual => self.ordered(condition, Test::GreaterOrEqual, yes, no),
            Comparison::Less => self.ordered(condition, Test::GreaterOrEqual, no, yes),
            Comparison::LessOrEqual => self.ordered(condition, Test::Greater, no, yes),
        }
    }

    /// Whether the argument has this value in the bits of the mask.
    fn equal(&mut self, condition: &Condition, value: u64, mask: u64, yes: Label, no: Label) -> Label {
        let lower = self.equal_half(condition, Half::Lower, value, mask, yes, no);
        if self.lower_only { lower } else { self.equal_half(condition, Half::Upper, value, mask, lower, no) }
    }

    fn equal_half(&mut self, of: &Condition, half: Half, value: u64, mask: u64, yes: Label, no: Label) -> Label {
        let (value, mask) = (half.of(value), half.of(mask));
        if mask == 0 {
            return yes;
        }
        let mut next = self.assembler.branch(Test::Equal, value & mask, yes, no);
        if mask != u32::MAX {
            next = self.assembler.and(mask, next);
        }
        self.assembler.load(half.offset(of.index), next)
    }

    /// Whether the argument passes the test, one of the greater ones.
    fn ordered(&mut self, condition: &Condition, test: Test, yes: Label, no: Label) -> Label {
        let (upper, lower) = (Half::Upper.of(condition.value), Half::Lower.of(condition.value));
        let next = self.assembler.branch(test, lower, yes, no);
        let next = self.assembler.load(Half::Lower.offset(condition.index), next);
        if self.lower_only {
            return next;
        }
        let next = self.assembler.branch(Test::Equal, upper, next, no);
        let next = self.assembler.branch(Test::Greater, upper, yes, next);
        self.assembler.load(Half::Upper.offset(condition.index), next)
    }
}

/// A filter sees 32 bits at a time.
#[derive(Clone, Copy)]
enum Half {
    Lower,
    Upper,
}

impl Half {
    fn of(self, value: u64) -> u32 {
        match self {
            Half::Lower => value as u32,
            Half::Upper => (value >> 32) as u32,
        }
    }

    /// Where it is of this argument.
    fn offset(self, index: u8) -> u32 {
        let is_second = matches!(self, Half::Upper) != cfg!(target_endian = "big");
        ARGUMENTS_AT + 8 * u32::from(index) + if is_second { 4 } else { 0 }
    }
}
