//! Calls of x86 that are also reached through one of two others, `socketcall` and `ipc`, whose first argument says which one
//! is meant. A rule for `socket` must hold for both ways.
#![forbid(unsafe_code)]

use super::Case;
use crate::seccomp::abi::Abi;
use crate::seccomp::profile::{Comparison, Condition, Rule};
use crate::seccomp::table;

/// SYS_* of linux/net.h.
const SOCKETCALL: &[(&str, u64)] = &[
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// Of linux/ipc.h.
const IPC: &[(&str, u64)] = &[
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// The rule's case for the other way to the call of this name. The arguments are in memory there, where no filter sees them: a rule
/// with conditions counts for all arguments if it forbids, and for none if it allows.
pub(super) fn cases<'a>(abi: Abi, name: &str, rule: &Rule<'_>) -> Option<(u32, Case<'a>)> {
    if abi != Abi::X86 || (!rule.conditions.is_empty() && rule.action.lets_through()) {
        return None;
    }
    let find = |list: &[(&str, u64)]| list.iter().find(|(known, _)| *known == name).map(|(_, which)| *which);
    // The upper half of ipc's first argument is a version.
    let (multiplexer, mask, which) = match (find(SOCKETCALL), find(IPC)) {
        (Some(which), _) => ("socketcall", u64::from(u32::MAX), which),
        (None, Some(which)) => ("ipc", 0xffff, which),
        (None, None) => return None,
    };
    let number = table::find(multiplexer)?.number(abi)?;
    let condition = Condition { index: 0, comparison: Comparison::MaskedEqual, value: mask, value_two: which };
    Some((number, Case::Multiplexed([condition], rule.action)))
}
