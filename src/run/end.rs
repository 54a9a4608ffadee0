//! The exit code of a container that has ended.
#![forbid(unsafe_code)]

use super::say;
use crate::error::{Error, Result};
use crate::protocol::mesos::containerizer::Termination;
use crate::protocol::mesos::task_status::Reason;

/// As if the command had been killed by SIGKILL, which it was.
const LIMITED: i32 = 128 + libc::SIGKILL;

/// The command's own exit code, or as a shell has it for one that was killed by a signal. For a limit that was exceeded a line
/// is written on stderr.
///
/// # Errors
/// When the container's end is not known, or did not come.
pub(super) fn code(termination: &Termination) -> Result<i32> {
    if termination.killed {
        say(&limit(termination));
        return Ok(LIMITED);
    }
    match termination.status {
        Some(status) if libc::WIFSIGNALED(status) => Ok(128 + libc::WTERMSIG(status)),
        Some(status) => Ok(libc::WEXITSTATUS(status)),
        None => Err(Error::Refused(termination.message().to_owned())),
    }
}

/// The first line says which limit; statistics follow.
fn limit(termination: &Termination) -> String {
    let message = termination.message().lines().next().unwrap_or_default();
    let known = |reason: &i32| Reason::try_from(*reason).ok().map(|reason| reason.as_str_name());
    let reasons: Vec<&str> = termination.reasons.iter().filter_map(known).collect();
    if reasons.is_empty() { message.to_owned() } else { format!("{message} ({})", reasons.join(", ")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ended(status: i32) -> Termination {
        Termination { status: Some(status), ..Termination::default() }
    }

    #[test]
    fn codes_are_those_of_a_shell() {
        for (status, expected) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (9, 137), (15, 143), (11 | 0x80, 139)] {
            assert_eq!(code(&ended(status)).unwrap(), expected, "{status:#x}");
        }
        let unknown = Termination { message: Some("nobody knows".into()), ..Termination::default() };
        assert_eq!(code(&unknown).unwrap_err().to_string(), "nobody knows");
    }

    #[test]
    fn a_limit_is_one_line_with_its_reason() {
        let message = "Memory limit exceeded: Requested: 32MB\n\nMEMORY STATISTICS: \nrss 1\n".to_owned();
        let termination = Termination { killed: true, message: Some(message), reasons: vec![8], ..ended(0) };
        assert_eq!(limit(&termination), "Memory limit exceeded: Requested: 32MB (REASON_CONTAINER_LIMITATION_MEMORY)");
        assert_eq!(code(&termination).unwrap(), 137);
        let unknown = Termination { reasons: vec![4711], ..termination };
        assert_eq!(limit(&unknown), "Memory limit exceeded: Requested: 32MB");
    }
}
