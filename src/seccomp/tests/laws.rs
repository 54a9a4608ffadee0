//! For random profiles and calls: the filter answers what the rules say, one by one.

use std::borrow::Cow;

use proptest::prelude::*;

use super::evaluate::evaluate;
use super::interpreter::{Data, check, run, run_counting};
use crate::seccomp::{
    Abi, Action, Architectures, Comparison, Condition, Host, MOST_INSTRUCTIONS, Profile, Rule, Selection, compile,
    table,
};

const NATIVE: [Abi; 2] = [Abi::X86_64, Abi::Aarch64];
const OTHERS: [Abi; 3] = [Abi::X86, Abi::X32, Abi::Arm];

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Allow),
        1 => Just(Action::KillProcess),
        1 => Just(Action::KillThread),
        1 => Just(Action::Trap),
        1 => Just(Action::Log),
        3 => (0..=4095_u16).prop_map(Action::Errno),
    ]
}

/// Numbers at which comparisons change their minds.
pub(super) fn number() -> impl Strategy<Value = u64> {
    let word = || prop_oneof![Just(0_u32), Just(1), Just(2), Just(u32::MAX - 1), Just(u32::MAX), any::<u32>()];
    (word(), word()).prop_map(|(upper, lower)| u64::from(upper) << 32 | u64::from(lower))
}

pub(super) fn condition() -> impl Strategy<Value = Condition> {
    let comparison = prop::sample::select(vec![
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Equal,
        Comparison::GreaterOrEqual,
        Comparison::Greater,
        Comparison::MaskedEqual,
    ]);
    (0..6_u8, comparison, number(), number()).prop_map(|(index, comparison, value, value_two)| Condition {
        index,
        comparison,
        value,
        value_two,
    })
}

fn selection() -> impl Strategy<Value = Selection> {
    let architectures = prop::collection::vec(prop::sample::select(vec!["amd64".to_owned(), "arm64".into()]), 0..2);
    let kernel = prop::option::weighted(0.1, (5..7_u32, 0..3_u32));
    (prop_oneof![9 => Just(0_u64), 1 => 0..4_u64], architectures, kernel)
        .prop_map(|(capabilities, architectures, min_kernel)| Selection { capabilities, architectures, min_kernel })
}

fn name() -> impl Strategy<Value = Cow<'static, str>> {
    let names: Vec<&'static str> = table::all().map(|(name, _)| name).collect();
    // Some are often met, so that calls have several rules.
    let often = vec!["socket", "clone", "personality", "semop", "cacheflush", "execveat", "no_such_call"];
    prop_oneof![1 => prop::sample::select(names), 1 => prop::sample::select(often)].prop_map(Cow::Borrowed)
}

fn rule() -> impl Strategy<Value = Rule<'static>> {
    let empty = || prop_oneof![4 => Just(Selection::default()), 1 => selection()];
    (prop::collection::vec(name(), 1..8), action(), prop::collection::vec(condition(), 0..4), empty(), empty())
        .prop_map(|(names, action, mut conditions, includes, excludes)| {
            conditions.sort_by_key(|condition| condition.index);
            conditions.dedup_by_key(|condition| condition.index);
            Rule { names, action, conditions, includes, excludes }
        })
}

fn profile() -> impl Strategy<Value = Profile<'static>> {
    let list = prop::collection::vec(prop::sample::select(OTHERS.to_vec()), 0..3);
    let architectures = prop_oneof![
        list.clone().prop_map(Architectures::List),
        (list.clone(), list).prop_map(|(one, other)| Architectures::Map(vec![
            (None, vec![Abi::X32]),
            (Some(Abi::X86_64), one),
            (Some(Abi::Aarch64), other)
        ])),
    ];
    (action(), architectures, prop::collection::vec(rule(), 0..40)).prop_map(
        |(default_action, architectures, rules)| Profile { default_action, architectures, rules, ignored: Vec::new() },
    )
}

fn host() -> impl Strategy<Value = Host> {
    (prop::sample::select(NATIVE.to_vec()), (5..7_u32, 0..3_u32), 0..4_u64)
        .prop_map(|(native, kernel, capabilities)| Host { native, kernel, capabilities })
}

/// What to call: mostly calls that rules are for, with arguments that they name, or their neighbours.
#[derive(Debug, Clone)]
struct Pick {
    rule: prop::sample::Index,
    name: prop::sample::Index,
    abi: prop::sample::Index,
    near: i64,
    keep: [bool; 6],
    arguments: [u64; 6],
    number: Option<u32>,
}

fn pick() -> impl Strategy<Value = Pick> {
    let number = prop_oneof![
        8 => Just(None),
        1 => any::<u32>().prop_map(Some),
        1 => prop::sample::select(vec![0, 337, 600, (1 << 30) - 1, 1 << 30, (1 << 30) + 600, u32::MAX - 1, u32::MAX]).prop_map(Some),
    ];
    (
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        -1..2_i64,
        prop::array::uniform6(prop::bool::weighted(0.8)),
        prop::array::uniform6(number_or_any()),
        number,
    )
        .prop_map(|((rule, name, abi), near, keep, arguments, number)| Pick {
            rule,
            name,
            abi,
            near,
            keep,
            arguments,
            number,
        })
}

fn number_or_any() -> impl Strategy<Value = u64> {
    prop_oneof![number(), any::<u64>()]
}

impl Pick {
    fn data(&self, profile: &Profile<'_>) -> Data {
        let abis = [NATIVE.as_slice(), &OTHERS].concat();
        let abi = *self.abi.get(&abis);
        let mut data = Data { arch: abi.audit(), arguments: self.arguments, number: self.number.unwrap_or(7) };
        if profile.rules.is_empty() {
            return data;
        }
        let rule = self.rule.get(&profile.rules);
        if self.number.is_none() {
            let name: &Cow<'_, str> = self.name.get(&rule.names);
            let number = table::find(name).and_then(|syscall| syscall.number(abi));
            data.number = number.unwrap_or(7);
        }
        for condition in rule.conditions.iter().filter(|condition| self.keep[usize::from(condition.index)]) {
            let value = match condition.comparison {
                Comparison::MaskedEqual => condition.value_two,
                _ => condition.value,
            };
            data.arguments[usize::from(condition.index)] = value.wrapping_add_signed(self.near);
        }
        data
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn filters_answer_what_the_rules_say(
        profile in profile(),
        host in host(),
        picks in prop::collection::vec(pick(), 60),
    ) {
        let compiled = compile(&profile, &host).unwrap();
        check(&compiled.program);
        for pick in picks {
            let data = pick.data(&profile);
            // Of x86's socketcall and ipc the plain evaluation knows nothing.
            if data.arch == Abi::X86.audit() && matches!(data.number, 102 | 117) {
                continue;
            }
            let expected = evaluate(&profile, &host, &data);
            prop_assert_eq!(run(&compiled.program, &data), expected.value(), "{:?} {:?}", expected, data);
        }
    }
}

/// Every call with conditions of its own: longer than any jump reaches.
fn many(rules: usize, each: usize) -> Profile<'static> {
    let names: Vec<&'static str> = table::all().map(|(name, _)| name).collect();
    let rule = |n: usize| Rule {
        names: vec![Cow::Borrowed(names[n % names.len()])],
        action: Action::Errno(n as u16 % 4000),
        conditions: (0..each as u8)
            .map(|index| Condition {
                index,
                comparison: Comparison::Less,
                value: (n as u64) << 20 | n as u64,
                value_two: 0,
            })
            .collect(),
        includes: Selection::default(),
        excludes: Selection::default(),
    };
    Profile {
        default_action: Action::Allow,
        architectures: Architectures::List(vec![Abi::X32]),
        rules: (0..rules).map(rule).collect(),
        ignored: Vec::new(),
    }
}

#[test]
fn jumps_may_be_long() {
    let host = super::HOST;
    for (rules, each) in [(200, 1), (330, 1), (160, 2)] {
        let profile = many(rules, each);
        let compiled = compile(&profile, &host).unwrap();
        check(&compiled.program);
        assert!(compiled.program.len() > 600, "{}", compiled.program.len());
        let mut most = 0;
        for (n, (name, syscall)) in table::all().enumerate() {
            for abi in [Abi::X86_64, Abi::X32] {
                let Some(number) = syscall.number(abi) else { continue };
                for argument in [0, (n as u64) << 20 | n as u64, u64::MAX] {
                    let data = Data { number, arch: abi.audit(), arguments: [argument; 6] };
                    let (answer, steps) = run_counting(&compiled.program, &data);
                    assert_eq!(answer, evaluate(&profile, &host, &data).value(), "{name} {argument:#x}");
                    most = most.max(steps);
                }
            }
        }
        assert!(most < 40 + 10 * each, "{most} instructions for one call");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let error = compile(&many(2000, 6), &super::HOST).unwrap_err().to_string();
    assert!(error.contains(&format!("takes {MOST_INSTRUCTIONS} at most")), "{error}");
}
