//! The filter of system calls, made when it is known what capabilities there will be.
#![forbid(unsafe_code)]

use caps::CapSet;

use crate::error::{Error, Result};
use crate::isolator::Preparation;
use crate::launcher::Account;

/// Makes the filter that an isolator prepared, if one did.
///
/// # Errors
/// Why it cannot be made; and a filter without no_new_privs, which the kernel would take from root only.
pub(super) fn finish(preparation: &mut Preparation, account: &Account) -> Result<()> {
    let Some(filter) = preparation.filter.take() else { return Ok(()) };
    let privileges = &preparation.privileges;
    if privileges.seccomp.is_some() {
        return Err(Error::Refused(
            "two isolators in --isolation want to give the container a filter of system calls: leave one out".into(),
        ));
    }
    let own_users = preparation.user.is_some();
    let most = match privileges.capabilities {
        // With no_new_privs executing a program adds none.
        Some(capabilities) if privileges.no_new_privileges => capabilities.permitted | capabilities.ambient,
        Some(capabilities) => capabilities.bounding | capabilities.permitted,
        None if privileges.no_new_privileges && !account.owner().0.is_root() => 0,
        None if own_users => u64::MAX,
        None => own()?,
    };
    preparation.privileges.seccomp = Some(filter.make(most)?);
    Ok(())
}

/// What this process could have at most: what it has, and what executing something could give it.
fn own() -> Result<u64> {
    let mut bits = 0;
    for set in [CapSet::Permitted, CapSet::Bounding] {
        let found = caps::read(None, set)
            .map_err(|e| Error::Refused(format!("cannot read this process's capabilities: {e}")))?;
        bits |= found.iter().fold(0, |bits, capability| bits | capability.bitmask());
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::isolator::{Capabilities, Filter, Privileges};
    use crate::sys::Credentials;

    /// The capabilities that a filter is made for.
    fn made_for(capabilities: Option<Capabilities>, no_new_privileges: bool, uid: u32, namespaces: u64) -> u64 {
        let seen = Rc::new(Cell::new(0));
        let filter = Filter::new({
            let seen = Rc::clone(&seen);
            move |capabilities| {
                seen.set(capabilities);
                Ok(Vec::new())
            }
        });
        let privileges = Privileges { capabilities, no_new_privileges, ..Privileges::default() };
        let mut preparation = Preparation { privileges, namespaces, filter: Some(filter), ..Preparation::default() };
        let credentials = Some(Credentials { uid, gid: uid, groups: Vec::new() });
        finish(&mut preparation, &Account { name: None, credentials }).unwrap();
        assert!(preparation.privileges.seccomp.is_some());
        seen.get()
    }

    #[test]
    fn rules_are_chosen_by_what_there_can_be() {
        let sets = Capabilities { bounding: 7, permitted: 3, ambient: 1 };
        assert_eq!(made_for(Some(sets), true, 0, 0), 3);
        assert_eq!(made_for(Some(sets), false, 0, 0), 7);
        assert_eq!(made_for(None, true, 65534, 0), 0);
        assert_eq!(made_for(None, true, 0, 0), own().unwrap());
        assert_eq!(made_for(None, false, 65534, 0), own().unwrap());
        assert_eq!(made_for(None, true, 0, libc::CLONE_NEWUSER as u64), u64::MAX);
    }
}
