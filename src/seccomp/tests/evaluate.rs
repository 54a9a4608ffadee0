//! What a profile says about one call, rule by rule as the documentation has it: slow, and without a thought for filters.

use super::Data;
use crate::seccomp::{Abi, Action, Architectures, Comparison, Condition, Host, Profile, Rule, table};

/// The answer to a call.
pub(super) fn evaluate(profile: &Profile<'_>, host: &Host, data: &Data) -> Action {
    if data.number == u32::MAX && arches(profile, host).contains(&data.arch) {
        return Action::Allow;
    }
    let Some(abi) = abi(profile, host, data) else { return Action::KillProcess };
    let rules: Vec<&Rule<'_>> = profile.rules.iter().filter(|rule| counts(rule, host)).collect();
    let mut without = None;
    for rule in &rules {
        let named = rule.names.iter().any(|name| number(name, abi) == Some(data.number));
        if named && rule.conditions.is_empty() {
            without = without.or(Some(rule.action));
        } else if named && rule.conditions.iter().all(|condition| holds(condition, abi, data)) {
            return rule.action;
        }
    }
    without.unwrap_or_else(|| match profile.default_action {
        Action::Errno(_) if is_new(profile, abi, data.number) => Action::Errno(38),
        action => action,
    })
}

fn arches(profile: &Profile<'_>, host: &Host) -> Vec<u32> {
    abis(profile, host).iter().map(|abi| abi.audit()).collect()
}

fn abis(profile: &Profile<'_>, host: &Host) -> Vec<Abi> {
    let others = match &profile.architectures {
        Architectures::List(list) => list.clone(),
        Architectures::Map(map) => {
            map.iter().find(|entry| entry.0 == Some(host.native)).map_or(vec![], |entry| entry.1.clone())
        }
    };
    let others = others.into_iter().filter(|abi| host.native.others().contains(abi));
    [host.native].into_iter().chain(others).collect()
}

fn abi(profile: &Profile<'_>, host: &Host, data: &Data) -> Option<Abi> {
    let x32 = data.number >= 1 << 30;
    abis(profile, host).into_iter().find(|abi| {
        abi.audit() == data.arch
            && match abi {
                Abi::X86_64 => !x32,
                Abi::X32 => x32,
                _ => true,
            }
    })
}

fn number(name: &str, abi: Abi) -> Option<u32> {
    table::find(name)?.number(abi)
}

fn counts(rule: &Rule<'_>, host: &Host) -> bool {
    let (with, without) = (&rule.includes, &rule.excludes);
    let all = (0..41).all(|bit| with.capabilities >> bit & 1 == 0 || host.capabilities >> bit & 1 == 1);
    let any = (0..41).any(|bit| without.capabilities >> bit & 1 == 1 && host.capabilities >> bit & 1 == 1);
    let native = host.native.go_name().to_owned();
    all && !any
        && (with.architectures.is_empty() || with.architectures.contains(&native))
        && !without.architectures.contains(&native)
        && with.min_kernel.is_none_or(|least| host.kernel >= least)
        && without.min_kernel.is_none_or(|least| host.kernel < least)
}

fn holds(condition: &Condition, abi: Abi, data: &Data) -> bool {
    let width = if matches!(abi, Abi::X86 | Abi::Arm) { u64::from(u32::MAX) } else { u64::MAX };
    let argument = data.arguments[usize::from(condition.index)] & width;
    let value = condition.value & width;
    match condition.comparison {
        Comparison::NotEqual => argument != value,
        Comparison::Less => argument < value,
        Comparison::LessOrEqual => argument <= value,
        Comparison::Equal => argument == value,
        Comparison::GreaterOrEqual => argument >= value,
        Comparison::Greater => argument > value,
        Comparison::MaskedEqual => argument & value == condition.value_two & value,
    }
}

/// Newer than all that the profile names.
fn is_new(profile: &Profile<'_>, abi: Abi, asked: u32) -> bool {
    let end = match abi {
        Abi::X32 => (1 << 30) + 512,
        Abi::Arm => 0xf_0000,
        _ => 1 << 30,
    };
    let numbers = profile.rules.iter().flat_map(|rule| &rule.names).filter_map(|name| number(name, abi));
    let newest = numbers.filter(|number| *number < end).max();
    newest.is_some_and(|newest| asked > newest) && asked < end
}
