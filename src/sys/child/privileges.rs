//! From the supervisor's rights to the container's, in the order in which each step is still allowed.
#![allow(unsafe_code)]

use super::capabilities::{self, Sets};
use super::{Child, ChildStep};

impl Child<'_> {
    /// Limits, then the user namespace, in which none could be raised; the bounding set, which is full there, then the user's
    /// groups, group and user, then what of the rights is left; and a look whether it is so.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn drop_privileges(&mut self) {
        let privileges = &self.setup.privileges;
        // SAFETY: called by `run` under its conditions.
        unsafe {
            for (number, limit) in privileges.rlimits.iter().enumerate() {
                let value = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
                let old = std::ptr::null_mut::<libc::rlimit64>();
                if libc::syscall(libc::SYS_prlimit64, 0, limit.resource, &raw const value, old) < 0 {
                    self.fail_at(ChildStep::Rlimit, number);
                }
            }
            if self.setup.fasten_mounts {
                self.enter_user_namespace();
            }
            let wanted = privileges.capabilities;
            if let Some(wanted) = wanted
                && !capabilities::bound(wanted.bounding)
            {
                self.fail(ChildStep::Bounding);
            }
            if let Some(to) = self.credentials {
                // The raw calls: glibc's would look for other threads.
                if libc::syscall(libc::SYS_setgroups, to.groups.len(), to.groups.as_ptr()) < 0 {
                    self.fail(ChildStep::Groups);
                }
                if libc::syscall(libc::SYS_setresgid, to.gid, to.gid, to.gid) < 0 {
                    self.fail(ChildStep::Gid);
                }
                // Else the kernel takes away all that there is when the user changes. Executing a program ends it.
                let keep = to.uid != 0 && wanted.is_some_and(|wanted| wanted.permitted != 0);
                if keep && capabilities::prctl(libc::PR_SET_KEEPCAPS, 1, 0) < 0 {
                    self.fail(ChildStep::Capabilities);
                }
                if libc::syscall(libc::SYS_setresuid, to.uid, to.uid, to.uid) < 0 {
                    self.fail(ChildStep::Uid);
                }
            }
            let Some(now) = capabilities::get() else { self.fail(ChildStep::Capabilities) };
            let sets = match wanted {
                Some(wanted) => {
                    Sets { permitted: wanted.permitted, effective: wanted.permitted, inheritable: wanted.ambient }
                }
                // Another user has none. Root has what it has until it executes something, and the bounding set from then on.
                None if libc::geteuid() != 0 => Sets::default(),
                None => Sets { inheritable: 0, ..now },
            };
            // Inheritable and ambient ones of the agent's would go to the container, whoever its user is.
            if !capabilities::set(&sets, wanted.map_or(0, |wanted| wanted.ambient)) {
                self.fail(ChildStep::Capabilities);
            }
            if privileges.no_new_privileges && capabilities::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0) < 0 {
                self.fail(ChildStep::NoNewPrivileges);
            }
            if let Some(wrong) = self.wrong(&sets) {
                *libc::__errno_location() = libc::EPERM;
                self.fail_at(ChildStep::Verify, wrong as usize);
            }
        }
    }

    /// # Safety
    /// As `run`.
    pub(super) unsafe fn filter_calls(&self) {
        let Some(filter) = &self.setup.privileges.seccomp else {
            return;
        };
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: called by `run` under its conditions; the kernel reads as many instructions as there are.
        if unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) } < 0 {
            // SAFETY: as above.
            unsafe { self.fail(ChildStep::Seccomp) }
        }
    }
}
