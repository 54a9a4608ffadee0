//! Processes that go their own way: supervisors and those who take over from them.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use super::fd::keep_only;
use super::fork::{Fork, die_with, exit_now, fork};
use super::pidfd::Pidfd;

/// Forks a process that has a session of its own, / as its working directory, /dev/null as its standard streams and
/// nothing else open but `kept` (as 3, 4, ...). It runs `body` with those and exits with the code that comes back.
///
/// With `orphan` it is forked twice, so that it is not found below this process either; the pid is then that of the middle
/// one, which has ended and been reaped.
///
/// # Errors
/// Those of fork(2), in this process. What fails in the new one ends it with code 70, which its peer sees as end-of-file.
pub fn detach(kept: Vec<OwnedFd>, orphan: bool, body: impl FnOnce(Vec<OwnedFd>) -> i32) -> io::Result<i32> {
    match fork()? {
        Fork::Parent(pid) => {
            if orphan {
                let mut status = 0;
                // SAFETY: waits for our own child and writes one int.
                while unsafe { libc::waitpid(pid, &mut status, 0) } < 0
                    && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                {}
            }
            Ok(pid)
        }
        Fork::Child => {
            // SAFETY: from here on the child never returns into its caller, so no object of its copy of memory is used or
            // dropped but what `body` has been given; panics abort.
            let code = unsafe { become_detached(kept, orphan) }.map_or(70, body);
            exit_now(code)
        }
    }
}

/// Forks a helper of this process: it ends with it, has a process group of its own, /dev/null as its standard streams and
/// nothing else open but `kept` (as 3, 4, ...). It runs `body` with those and exits with the code that comes back. It stays in
/// this process's session, by which it is told apart from container processes; whoever reaps this process's children reaps it.
///
/// `body` must own no descriptors but those that it is given.
///
/// # Errors
/// Those of fork(2), in this process. What fails in the new one ends it with code 70, which its peer sees as end-of-file.
pub fn helper(kept: Vec<OwnedFd>, body: impl FnOnce(Vec<OwnedFd>) -> i32) -> io::Result<Pidfd> {
    let parent = std::process::id();
    match fork()? {
        // Not reaped yet: only this thread does that.
        Fork::Parent(pid) => Pidfd::open(pid),
        Fork::Child => {
            // SAFETY: as in `detach`.
            let code = unsafe { become_helper(kept, parent) }.map_or(70, body);
            exit_now(code)
        }
    }
}

/// # Safety
/// As `keep_only`.
unsafe fn become_helper(kept: Vec<OwnedFd>, parent: u32) -> io::Result<Vec<OwnedFd>> {
    die_with(parent)?;
    // SAFETY: only numbers, about this process.
    unsafe { libc::setpgid(0, 0) };
    default_signals();
    // SAFETY: passed on to the caller.
    unsafe { keep_only(kept) }
}

/// # Safety
/// As `keep_only`.
unsafe fn become_detached(kept: Vec<OwnedFd>, orphan: bool) -> io::Result<Vec<OwnedFd>> {
    if orphan {
        match fork()? {
            Fork::Parent(_) => exit_now(0),
            Fork::Child => {}
        }
    }
    // SAFETY: setsid and umask touch no memory, chdir reads a constant.
    unsafe {
        if libc::setsid() < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::umask(0o022);
        if libc::chdir(c"/".as_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    close_to_others();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: SIG_IGN is a valid disposition. Only destroy ends a container, not a stray signal to its supervisor.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: passed on to the caller.
    unsafe { keep_only(kept) }
}

/// Closes this process, and those it clones, to others of the same account: a container that runs as the agent's own user must
/// not trace its supervisor, read its environment and memory, or open what it has open.
fn close_to_others() {
    if crate::weaken::is("dumpable") || is_hiding() {
        return;
    }
    // SAFETY: sets a number of this process.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Whether /proc may not show those processes that this one may not trace (`hidepid`): there a supervisor that is closed to
/// its own account's verbs would be taken for dead.
fn is_hiding() -> bool {
    use std::os::unix::fs::MetadataExt;
    if caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_PTRACE).unwrap_or(false) {
        return false;
    }
    // SAFETY: geteuid always succeeds.
    let user = unsafe { libc::geteuid() };
    let shown = || std::fs::File::open("/proc/1/stat").and_then(|stat| stat.metadata());
    // Somebody else's process, and it is shown: nothing is hidden.
    !shown().is_ok_and(|other| other.uid() != user)
}

/// Makes this process ready to be a container's owner: its children become zombies that it can reap whatever the agent
/// had set, and SIGCHLD and SIGUSR1 (look at the state directory) stay pending until they are read by signalfd.
pub fn ready_signals() {
    // SAFETY: sigset_t is plain data that sigemptyset initialises; SIG_DFL is a valid disposition.
    unsafe {
        // A reader that is gone is an error like any other.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        libc::sigaddset(&mut set, libc::SIGUSR1);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

/// Every signal to its default and none blocked, for a forked process that may become another program: ignored and blocked
/// signals would pass through exec. Makes system calls only, so it is also right between clone and exec.
pub fn default_signals() {
    // SAFETY: an all-zero action is SIG_DFL with an empty mask, at least as large as the kernel reads; a sigset_t is plain
    // data.
    unsafe {
        // The kernel's own struct sigaction (handler, flags, restorer, mask; 8 bytes each or less) and the raw call: glibc's
        // refuses the two signals that it keeps for itself, and those too may have been ignored further up.
        let action = [0u64; 4];
        for signal in 1..=64 {
            // SIGKILL and SIGSTOP answer EINVAL.
            libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), std::ptr::null_mut::<u64>(), 8usize);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}
