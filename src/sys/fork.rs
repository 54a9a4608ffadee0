//! fork(2) for single-threaded processes, and helper programs that die with whom they serve.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::default_signals;

/// Which of the two processes this is after [`fork`].
pub enum Fork {
    /// The parent, with the child's pid.
    Parent(i32),
    /// The child.
    Child,
}

/// Forks this process.
///
/// # Errors
/// EAGAIN or ENOMEM as fork(2), and an error if this process has more than one thread: the child could then find a lock
/// taken for ever (the allocator's, say).
pub fn fork() -> io::Result<Fork> {
    // /proc/self/task has one link for each thread and two of its own.
    if std::fs::metadata("/proc/self/task").is_ok_and(|m| m.nlink() != 3) {
        return Err(io::Error::other("this process has several threads, and only a single-threaded one may fork"));
    }
    // SAFETY: there is one thread (checked above; with no /proc to ask, the verbs start none), so the child's copy of
    // memory is consistent and it may do whatever the parent may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Ends this process at once: no exit handlers, no flushing of what was copied from the parent.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit does not return and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Reaps any one child that has ended: its pid and raw wait(2) status. None: there are children, and all of them run.
/// (nix's wrapper refuses the status of a process that a real-time signal killed, after having reaped it.)
///
/// # Errors
/// ECHILD when there is no child.
pub fn reap_child() -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    loop {
        // SAFETY: waitpid writes one int to `status`.
        match unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) } {
            0 => return Ok(None),
            -1 => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
            pid => return Ok(Some((pid, status))),
        }
    }
}

/// Has this process killed when its parent ends.
///
/// # Errors
/// ESRCH when it has ended already.
pub(super) fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: only numbers, about this process.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The parent may have died before the line above.
    // SAFETY: getppid always succeeds.
    if unsafe { libc::getppid() } as u32 != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

/// Prepares `command` as the first process of a container that is none: a session of its own, as a container has, and SIGKILL as
/// soon as this thread ends.
pub fn spawn_as_first(command: &mut Command) -> &mut Command {
    let parent = std::process::id();
    // SAFETY: the closure only makes system calls and allocates nothing, as is allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            die_with(parent)?;
            default_signals();
            if libc::setsid() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        })
    }
}

/// Prepares `command` as a helper: a process group of its own, and SIGKILL as soon as this process dies, so that no helper
/// outlives whom it serves. It stays in this process's session, by which it is told apart from container processes.
pub fn spawn_grouped(command: &mut Command) -> &mut Command {
    command.process_group(0);
    let parent = std::process::id();
    // SAFETY: the closure only makes system calls and allocates nothing, as is allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            die_with(parent)?;
            // The agent ignores SIGPIPE, the supervisor others, and some agents leak a descriptor.
            default_signals();
            libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            Ok(())
        })
    }
}
