//! `posix/disk` and `disk/xfs`: what containers use of disks, and what they may use.
#![forbid(unsafe_code)]

mod du;
mod figures;
mod looking;
mod quota;
mod schedule;
mod turns;
mod walker;
mod xfs;

use crate::error::{Error, Result};

pub use du::Du;
pub use xfs::Xfs;

/// The names of those for disk space. One container has one of them: both would say what it uses, and each enforce it.
const NAMES: &[&str] = &["posix/disk", "disk/du", "disk/xfs"];

/// The list, if it has no two of them.
///
/// # Errors
/// With both.
pub(super) fn at_most_one(names: Vec<String>) -> Result<Vec<String>> {
    let mut ours = names.iter().filter(|name| NAMES.contains(&name.as_str()));
    match (ours.next(), ours.next()) {
        (Some(first), Some(second)) => Err(Error::Refused(format!(
            "--isolation has both {first} and {second}: a container has one isolator for disk space; leave one out"
        ))),
        _ => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn there_is_at_most_one() {
        let list = |names: &[&str]| at_most_one(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(list(&["posix/cpu", "disk/xfs"]).unwrap().len(), 2);
        for both in [["posix/disk", "disk/xfs"], ["disk/du", "posix/disk"]] {
            let error = list(&both).unwrap_err().to_string();
            assert!(error.contains(&format!("both {} and {}", both[0], both[1])), "{error}");
        }
    }
}
