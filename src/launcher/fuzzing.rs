//! The group file of the host.
#![forbid(unsafe_code)]

use nix::unistd::Gid;

use super::user::local_groups;
use crate::fuzzing::Scratch;

/// The primary group comes first, and none twice.
pub(crate) fn groups(data: &[u8]) {
    let scratch = Scratch::new();
    let found = local_groups(&scratch.file("group", data), "root", Gid::from_raw(7)).unwrap_or_default();
    assert_eq!(found.first(), Some(&Gid::from_raw(7)));
    assert!((1..found.len()).all(|at| !found[..at].contains(&found[at])));
}
