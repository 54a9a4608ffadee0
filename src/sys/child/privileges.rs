//! From the supervisor's rights to the container's, in the order in which each step is still allowed.
#![allow(unsafe_code)]

use super::{Child, ChildStep};

impl Child<'_> {
    /// Limits, then the user namespace, in which no limit could be raised, then the user's groups, group and user.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn drop_privileges(&self) {
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
            if let Some(to) = self.credentials {
                // The raw calls: glibc's would look for other threads.
                if libc::syscall(libc::SYS_setgroups, to.groups.len(), to.groups.as_ptr()) < 0 {
                    self.fail(ChildStep::Groups);
                }
                if libc::syscall(libc::SYS_setresgid, to.gid, to.gid, to.gid) < 0 {
                    self.fail(ChildStep::Gid);
                }
                if libc::syscall(libc::SYS_setresuid, to.uid, to.uid, to.uid) < 0 {
                    self.fail(ChildStep::Uid);
                }
            }
            if privileges.no_new_privileges && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 {
                self.fail(ChildStep::NoNewPrivileges);
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
