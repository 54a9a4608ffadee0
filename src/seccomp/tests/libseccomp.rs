//! What libseccomp makes of the same rules must answer the same: a second opinion of a program that shares nothing with ours.
//!
//! Left out is where we differ on purpose: rules of different actions for one call, calls that are newer than the profile
//! (the default is no errno here), socketcall and ipc, and a tracer's -1. And where libseccomp 2.5 is wrong: of several rules for a call
//! it may lose one, unless they compare by `==` only. (Of `prctl` with 0 != 2 and 1 == 1, or 0 == 0, it kills prctl(0, 0).) So
//! calls with several rules have no others here.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use libc::sock_filter;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::interpreter::{Data, run};
use super::laws::{condition, number};
use crate::seccomp::{Abi, Action, Architectures, Comparison, Condition, Profile, Rule, Selection, compile, table};

struct Libseccomp {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Libseccomp {
    /// Debian's Python has the bindings in the package python3-seccomp.
    fn start() -> Option<Libseccomp> {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", include_str!("libseccomp.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (input, output) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut this = Libseccomp { child, input, output };
        this.try_filter("[\"allow\", false, []]").is_some().then_some(this)
    }

    fn try_filter(&mut self, line: &str) -> Option<Vec<sock_filter>> {
        writeln!(self.input, "{line}").ok()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).ok()?;
        let digits: Vec<u8> = answer.trim().bytes().map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let instruction = |i: &[u8]| sock_filter {
            code: u16::from_ne_bytes([i[0], i[1]]),
            jt: i[2],
            jf: i[3],
            k: u32::from_ne_bytes([i[4], i[5], i[6], i[7]]),
        };
        let program: Vec<_> = bytes.chunks_exact(8).map(instruction).collect();
        (!program.is_empty()).then_some(program)
    }
}

impl Drop for Libseccomp {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Calls of both interfaces that release 2.5 knows, none of them multiplexed, each with one action.
const CALLS: [(&str, Action); 7] = [
    ("read", Action::Allow),
    ("clone", Action::Allow),
    ("personality", Action::Errno(7)),
    ("ioctl", Action::Errno(97)),
    ("mount", Action::Trap),
    ("openat", Action::Allow),
    ("prctl", Action::Log),
];
const DEFAULTS: [Action; 2] = [Action::KillProcess, Action::Errno(38)];

fn rules() -> impl Strategy<Value = Vec<Rule<'static>>> {
    let rule = (0..CALLS.len(), prop::collection::vec(condition(), 0..4)).prop_map(|(call, mut conditions)| {
        conditions.sort_by_key(|condition| condition.index);
        conditions.dedup_by_key(|condition| condition.index);
        let (name, action) = CALLS[call];
        let both = Selection::default;
        Rule { names: vec![Cow::Borrowed(name)], action, conditions, includes: both(), excludes: both() }
    });
    prop::collection::vec(rule, 0..12).prop_map(|mut rules: Vec<Rule<'static>>| {
        for (name, _) in CALLS {
            let mut same: Vec<_> = rules.iter_mut().filter(|rule| rule.names[0] == name).collect();
            if let [_, _, ..] = &same[..] {
                let conditions = same.iter_mut().flat_map(|rule| &mut rule.conditions);
                conditions.for_each(|condition| condition.comparison = Comparison::Equal);
            }
        }
        rules
    })
}

fn shown(action: Action) -> String {
    match action {
        Action::Allow => "allow".into(),
        Action::Trap => "trap".into(),
        Action::Log => "log".into(),
        Action::Errno(errno) => errno.to_string(),
        Action::KillProcess | Action::KillThread => "kill".into(),
    }
}

fn line(default: Action, with_x86: bool, rules: &[Rule<'_>]) -> String {
    let condition = |c: &Condition| format!(r#"[{}, "{:?}", {}, {}]"#, c.index, c.comparison, c.value, c.value_two);
    let rule = |rule: &Rule<'_>| {
        let conditions: Vec<String> = rule.conditions.iter().map(condition).collect();
        format!(r#"["{}", "{}", [{}]]"#, shown(rule.action), rule.names[0], conditions.join(", "))
    };
    let rules: Vec<String> = rules.iter().map(rule).collect();
    format!(r#"["{}", {with_x86}, [{}]]"#, shown(default), rules.join(", "))
}

/// A call, the rule whose arguments it has, or numbers near to them, and its arguments otherwise.
type Asked = (usize, prop::sample::Index, i64, [u64; 6]);

#[test]
fn libseccomp_says_the_same() {
    let native = cfg!(target_arch = "x86_64").then(Libseccomp::start).flatten();
    let Some(mut libseccomp) = native else {
        return super::skipped("libseccomp for Python is not installed (python3-seccomp)");
    };
    // Always the same cases: what libseccomp does wrong is not for this test to find.
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = (
        prop::sample::select(DEFAULTS.to_vec()),
        any::<bool>(),
        rules(),
        prop::collection::vec(
            (0..CALLS.len(), any::<prop::sample::Index>(), -1..2_i64, prop::array::uniform6(number())),
            40,
        ),
    );
    let libseccomp = std::cell::RefCell::new(&mut libseccomp);
    let law = |(default_action, with_x86, rules, asked): (Action, bool, Vec<Rule<'static>>, Vec<Asked>)| {
        let theirs = libseccomp.borrow_mut().try_filter(&line(default_action, with_x86, &rules)).unwrap();
        let architectures = Architectures::List(if with_x86 { vec![Abi::X86] } else { vec![] });
        let profile = Profile { default_action, architectures, rules, ignored: Vec::new() };
        let ours = compile(&profile, &super::HOST).unwrap().program;
        for (call, rule, near, mut arguments) in asked {
            if !profile.rules.is_empty() {
                for condition in &rule.get(&profile.rules).conditions {
                    arguments[usize::from(condition.index)] = condition.value.wrapping_add_signed(near);
                }
            }
            for abi in [Abi::X86_64, Abi::X86, Abi::X32, Abi::Aarch64] {
                let number = table::find(CALLS[call].0).and_then(|syscall| syscall.number(abi)).unwrap_or(600);
                let data = Data { number, arch: abi.audit(), arguments };
                prop_assert_eq!(run(&ours, &data), run(&theirs, &data), "{:?} {:?}", abi, data);
            }
        }
        Ok(())
    };
    runner.run(&strategy, law).unwrap();
}
