//! What a container's link on the host is called.
#![forbid(unsafe_code)]

use crate::container::ContainerId;

const PREFIX: &str = "mesos";
/// Five bits each.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const COUNT: usize = 10;

/// `mesos` and ten characters of a hash of the container's id: it is known before there is a process, and the same for ever. A
/// link's name has at most 15 bytes. Two containers that run may have the same by chance: the second one is refused then.
pub(super) fn of(id: &ContainerId) -> String {
    // FNV-1a, and a last step that carries what changed into the high bits: nobody gains anything by a collision.
    let hash = id
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let digit = |number: u32| DIGITS.get((hash >> (14 + 5 * number)) as usize & 31).copied().map_or('a', char::from);
    format!("{PREFIX}{}", (0..COUNT as u32).map(digit).collect::<String>())
}

/// Whether a link has such a name.
pub(super) fn is_one(link: &str) -> bool {
    let digits = link.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == COUNT && digits.bytes().all(|digit| DIGITS.contains(&digit))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    fn name(id: &str) -> String {
        of(&ContainerId::new(id).unwrap())
    }

    #[test]
    fn names_are_fixed_and_differ() {
        // What is on a host must be found again by later versions.
        assert_eq!(name("a"), "mesos5m225nou76");
        assert!(is_one(&name("a")) && !is_one("mesos12345") && !is_one("mesos1234567890") && !is_one("eth0"));
        let ids = (0..20_000).map(|number| format!("185f5799-f445-4114-8a69-{number:012}"));
        let names: BTreeSet<String> = ids.map(|id| name(&id)).collect();
        assert_eq!(names.len(), 20_000);
        assert!(names.iter().all(|name| name.len() == 15 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}
