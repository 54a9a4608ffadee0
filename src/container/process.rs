//! Processes that are recognised again: pid and start time, within one boot.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::proc::Proc;
use crate::protocol::state::Process;
use crate::sys::Pidfd;

/// Names the running process `pid`.
///
/// # Errors
/// When there is no such process.
pub fn identify(proc: &Proc, pid: i32) -> Result<Process> {
    match proc.start_time(pid) {
        Some(start_time) => Ok(Process { pid, start_time }),
        None => Err(Error::Refused(format!("process {pid} is not there (any more)"))),
    }
}

/// Opens the process if it is still the same one. It may be a zombie, whose pidfd is readable at once.
pub fn open_alive(proc: &Proc, process: &Process) -> Option<Pidfd> {
    let pidfd = Pidfd::open(process.pid).ok()?;
    // Looked at after the open: from here on the pidfd cannot come to mean another process.
    (proc.start_time(process.pid) == Some(process.start_time)).then_some(pidfd)
}

/// Whether the process runs and is no zombie.
pub fn is_alive(proc: &Proc, process: &Process) -> bool {
    proc.stat(process.pid).is_some_and(|s| s.starttime == process.start_time && !Proc::has_ended(&s))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_recycled_pid_is_another_process() {
        let proc = Proc::default();
        let me = identify(&proc, std::process::id() as i32).unwrap();
        assert!(open_alive(&proc, &me).is_some() && is_alive(&proc, &me));
        let other = Process { start_time: me.start_time + 1, ..me };
        assert!(open_alive(&proc, &other).is_none() && !is_alive(&proc, &other));
    }
}
