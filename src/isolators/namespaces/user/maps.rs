//! Which id is which: inside, outside, and on the disk.
#![forbid(unsafe_code)]

use std::fmt::Write;

use crate::config::IdRange;
use crate::error::{Error, Result};
use crate::launcher::Account;

/// The container's map, for users and groups alike: `inside outside count`.
pub(super) fn all(range: IdRange) -> String {
    format!("0 {} {}\n", range.first, range.size)
}

/// The map of its files, `on-disk outside count`. The account's own id on the disk and the one that it has outside change places,
/// so what is the account's on the disk is so inside. All others are left as they are: a file that root inside makes is nobody's
/// on the disk, be it set-user-id or not (but if the account is root), and one of a host's user or group that the container does
/// not have can still be written by whom its mode lets. (One whose owner or group were not in the map could be by nobody.)
pub(super) fn files(range: IdRange, own: u32) -> String {
    let outside = range.first + own;
    let mut map = String::new();
    // -1 is no id.
    let extents = [
        (0, 0, own),
        (own, outside, 1),
        (own + 1, own + 1, outside - own - 1),
        (outside, own, 1),
        (outside + 1, outside + 1, u32::MAX - outside - 1),
    ];
    for (disk, outside, count) in extents.into_iter().filter(|(_, _, count)| *count > 0) {
        let _ = writeln!(map, "{disk} {outside} {count}");
    }
    map
}

/// Whether the account can be one of the container's.
///
/// # Errors
/// An id that is too large for the range, or one of the range.
pub(super) fn check(range: IdRange, account: &Account) -> Result<()> {
    let (uid, gid) = account.owner();
    let name = account.name.as_deref().unwrap_or("of the agent").escape_default();
    let ids = [("user id", uid.as_raw()), ("group id", gid.as_raw())].into_iter();
    let groups = account.credentials.iter().flat_map(|to| to.groups.iter().map(|gid| ("group id", *gid)));
    for (kind, id) in ids.chain(groups) {
        if range.outside(id).is_none() {
            return Err(Error::Refused(format!(
                "the user {name} has the {kind} {id}, and --userns_range={range} is for ids from 0 to {}: make the range \
                 larger, or let the framework use another user",
                range.size - 1
            )));
        }
        if range.has_outside(id) {
            return Err(Error::Refused(format!(
                "the user {name} has the {kind} {id}, which is one of --userns_range={range}: containers would be that user; \
                 choose ids that belong to nobody"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sys::Credentials;

    const RANGE: IdRange = IdRange { first: 100_000, size: 1001 };

    #[test]
    fn only_the_accounts_own_files_keep_their_owner() {
        assert_eq!(all(RANGE), "0 100000 1001\n");
        let rest = "100008 100008 4294867287\n";
        assert_eq!(files(RANGE, 7), format!("0 0 7\n7 100007 1\n8 8 99999\n100007 7 1\n{rest}"));
        assert_eq!(files(RANGE, 0), "0 100000 1\n1 1 99999\n100000 0 1\n100001 100001 4294867294\n");
        let last = IdRange { first: u32::MAX - 1, size: 1 };
        assert_eq!(files(last, 0), "0 4294967294 1\n1 1 4294967293\n4294967294 0 1\n");
    }

    #[test]
    fn an_account_must_fit() {
        let account = |uid, gid, groups: &[u32]| Account {
            name: Some("alice".into()),
            credentials: Some(Credentials { uid, gid, groups: groups.to_vec() }),
        };
        let refused = |account: Account, range| check(range, &account).unwrap_err().to_string();
        check(RANGE, &account(1000, 0, &[0, 999])).unwrap();
        assert!(refused(account(1001, 0, &[]), RANGE).contains("alice has the user id 1001"));
        assert!(refused(account(1, 2, &[3, 5000]), RANGE).contains("group id 5000, and --userns_range=100000-101000"));
        let wide = IdRange { first: 70_000, size: 100_000 };
        assert!(refused(account(70_005, 0, &[]), wide).contains("which is one of --userns_range=70000-169999"));
    }
}
