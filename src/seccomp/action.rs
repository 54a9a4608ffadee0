//! What becomes of a system call.
#![forbid(unsafe_code)]

/// An answer to a call. The names in profiles are those of libseccomp, `SCMP_ACT_...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// The process dies of SIGSYS. (KILL_PROCESS)
    KillProcess,
    /// The thread that made the call dies of SIGSYS, and with it the process if it has no other. (KILL, KILL_THREAD)
    KillThread,
    /// SIGSYS, which the process may handle. (TRAP)
    Trap,
    /// The call is not made and fails with this errno, at most 4095. (ERRNO)
    Errno(u16),
    /// Made, and noted in the host's audit log. (LOG)
    Log,
    /// Made. (ALLOW)
    Allow,
}

/// MAX_ERRNO of linux/err.h.
pub(super) const MOST_ERRNO: u64 = 4095;

impl Action {
    /// The value that a filter returns for it.
    pub fn value(self) -> u32 {
        match self {
            Action::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
            Action::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Action::Trap => libc::SECCOMP_RET_TRAP,
            Action::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Action::Log => libc::SECCOMP_RET_LOG,
            Action::Allow => libc::SECCOMP_RET_ALLOW,
        }
    }

    /// The call is made.
    pub fn lets_through(self) -> bool {
        matches!(self, Action::Log | Action::Allow)
    }

    /// The one of this name; ERRNO with EPERM.
    pub(super) fn named(name: &str) -> Result<Action, String> {
        Ok(match name.strip_prefix("SCMP_ACT_") {
            Some("KILL_PROCESS") => Action::KillProcess,
            Some("KILL" | "KILL_THREAD") => Action::KillThread,
            Some("TRAP") => Action::Trap,
            Some("ERRNO") => Action::Errno(libc::EPERM as u16),
            Some("LOG") => Action::Log,
            Some("ALLOW") => Action::Allow,
            Some("TRACE") => return Err("SCMP_ACT_TRACE needs a tracer, and containers have none".into()),
            Some("NOTIFY") => {
                return Err("SCMP_ACT_NOTIFY needs a program that answers, and containers have none".into());
            }
            _ => {
                return Err(format!(
                    "unknown action \"{}\"; known are SCMP_ACT_ALLOW, ERRNO, KILL, KILL_PROCESS, KILL_THREAD, LOG and TRAP",
                    name.escape_default()
                ));
            }
        })
    }
}
