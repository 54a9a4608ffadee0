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

/// The map of its files, `on-disk outside count`. What is the account's own on the disk is so inside. All other ids of the
/// container's stand on the disk as they are outside: a file that root inside makes is nobody's there, be it set-user-id or not
/// (but if the account is root).
pub(super) fn files(range: IdRange, own: u32) -> String {
    let IdRange { first, size } = range;
    let mut map = format!("{own} {} 1\n", first + own);
    for (from, count) in [(first, own), (first + own + 1, size - own - 1)] {
        if count > 0 {
            let _ = writeln!(map, "{from} {from} {count}");
        }
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
        assert_eq!(files(RANGE, 7), "7 100007 1\n100000 100000 7\n100008 100008 993\n");
        assert_eq!(files(RANGE, 0), "0 100000 1\n100001 100001 1000\n");
        assert_eq!(files(RANGE, 1000), "1000 101000 1\n100000 100000 1000\n");
        assert_eq!(files(IdRange { first: 100_000, size: 1 }, 0), "0 100000 1\n");
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
