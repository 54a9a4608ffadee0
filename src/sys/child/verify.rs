//! Whether the process has become what it should be: a step that silently did less would let a container run with the
//! agent's rights.
#![allow(unsafe_code)]

use super::Child;
use super::capabilities::{self, Sets};

/// What is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Real, effective or saved user id.
    Users,
    /// Real, effective or saved group id.
    GroupIds,
    /// Supplementary groups.
    Groups,
    /// The permitted, effective or inheritable set.
    Capabilities,
    /// The ambient set.
    Ambient,
    /// The bounding set.
    Bounding,
    /// no_new_privs.
    NoNewPrivileges,
    /// The file system's user or group id.
    FileIds,
}

impl Wrong {
    /// What the number in a report means, in words.
    pub fn words(number: usize) -> &'static str {
        use Wrong::*;
        let all = [Users, GroupIds, Groups, Capabilities, Ambient, Bounding, NoNewPrivileges, FileIds];
        match all.into_iter().find(|wrong| *wrong as usize == number) {
            Some(Users) => "its user ids",
            Some(GroupIds) => "its group ids",
            Some(Groups) => "its supplementary groups",
            Some(Capabilities) => "its capabilities",
            Some(Ambient) => "its ambient capabilities",
            Some(Bounding) => "its bounding capabilities",
            Some(NoNewPrivileges) => "its no_new_privs",
            Some(FileIds) => "its ids for files",
            None => "its rights",
        }
    }
}

impl Child<'_> {
    /// The first thing that is not as it should be.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn wrong(&mut self, sets: &Sets) -> Option<Wrong> {
        let privileges = &self.setup.privileges;
        // SAFETY: called by `run` under its conditions; the kernel writes numbers to places of that size.
        unsafe {
            if let Some(to) = self.credentials {
                let (mut real, mut effective, mut saved) = (0, 0, 0);
                let (r, e, s) = (&raw mut real, &raw mut effective, &raw mut saved);
                if libc::syscall(libc::SYS_getresuid, r, e, s) < 0 || [real, effective, saved] != [to.uid; 3] {
                    return Some(Wrong::Users);
                }
                if libc::syscall(libc::SYS_getresgid, r, e, s) < 0 || [real, effective, saved] != [to.gid; 3] {
                    return Some(Wrong::GroupIds);
                }
                // Without a valid id they only say what it is.
                let none = u32::MAX;
                if libc::syscall(libc::SYS_setfsuid, none) != i64::from(to.uid)
                    || libc::syscall(libc::SYS_setfsgid, none) != i64::from(to.gid)
                {
                    return Some(Wrong::FileIds);
                }
                // One place more than there should be groups.
                let length =
                    libc::syscall(libc::SYS_getgroups, self.groups_found.len(), self.groups_found.as_mut_ptr());
                let found = usize::try_from(length).ok().and_then(|length| self.groups_found.get_mut(..length));
                let Some(found) = found else { return Some(Wrong::Groups) };
                found.sort_unstable();
                if *found != *self.groups_wanted {
                    return Some(Wrong::Groups);
                }
            }
            if capabilities::get() != Some(*sets) {
                return Some(Wrong::Capabilities);
            }
            let wanted = privileges.capabilities;
            if !capabilities::ambient_is(wanted.map_or(0, |wanted| wanted.ambient)) {
                return Some(Wrong::Ambient);
            }
            if wanted.is_some_and(|wanted| !capabilities::is_bound(wanted.bounding)) {
                return Some(Wrong::Bounding);
            }
            let no_new_privileges = capabilities::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0);
            (privileges.no_new_privileges && no_new_privileges != 1).then_some(Wrong::NoNewPrivileges)
        }
    }
}
