//! What the agent does between fork and exec: the tests' only unsafe code.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a child inherits from the agent beside descriptors and environment.
#[derive(Clone, Copy, Debug)]
pub struct Inherited {
    pub umask: u32,
    pub nice: i32,
    /// What the shell writes to `/proc/self/oom_score_adj`, if any.
    pub oom_score_adj: Option<u16>,
    /// Class and level as `ioprio_set` takes them, if any.
    pub io_priority: Option<i32>,
    /// Whether the descriptor too many is an eventfd.
    pub eventfd: bool,
}

impl Default for Inherited {
    fn default() -> Self {
        Self { umask: 0o022, nice: 0, oom_score_adj: None, io_priority: None, eventfd: false }
    }
}

/// Makes the command a session leader that ignores SIGPIPE and got a descriptor too many, as the agent's children do.
///
/// 0.22 leaks an eventfd into its verbs. Others were not seen to leak anything; `/dev/null` does here, so that nobody relies on that.
pub fn become_a_child_of_the_agent(command: &mut Command, inherited: Inherited) {
    let prepare = move || {
        // SAFETY: setsid takes nothing and touches no memory.
        if unsafe { libc::setsid() } < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: SIG_IGN is a valid disposition, and no handler of Rust's own is lost for SIGPIPE.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        // SAFETY: umask takes any number.
        unsafe { libc::umask(inherited.umask) };
        // SAFETY: setpriority touches no memory; 0 means the calling process.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, inherited.nice) };
        if let Some(priority) = inherited.io_priority {
            // SAFETY: numbers only; 1 and 0 mean the calling process.
            unsafe { libc::syscall(libc::SYS_ioprio_set, 1, 0, priority) };
        }
        let leaked = if inherited.eventfd {
            // SAFETY: numbers only. Without EFD_CLOEXEC it stays open over exec.
            unsafe { libc::eventfd(0, 0) }
        } else {
            // SAFETY: the path is a C string that lives for ever. Without O_CLOEXEC it stays open over exec.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) }
        };
        if leaked < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: the closure runs in the forked child and does system calls only: it neither allocates nor takes locks.
    unsafe { command.pre_exec(prepare) };
}
