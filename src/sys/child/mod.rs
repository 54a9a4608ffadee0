//! The container's first process between clone and exec: raw system calls only, on what was prepared before.
#![allow(unsafe_code)]

mod capabilities;
mod exec;
mod init;
mod mounts;
mod privileges;
mod step;
mod user_namespace;
mod verify;

use std::ffi::CString;
use std::os::fd::{AsRawFd, RawFd};

use super::clone::{Clone, Credentials};
use super::default_signals;
use super::setup::Setup;

pub use step::ChildStep;
pub use verify::Wrong;

/// KEYCTL_JOIN_SESSION_KEYRING of linux/keyctl.h.
const JOIN_SESSION_KEYRING: libc::c_int = 1;

/// What the child needs, in the form in which the kernel takes it.
pub(super) struct Child<'a> {
    programs: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    /// For a script without an interpreter line: /bin/sh, the script, its arguments.
    shell_argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    directory: RawFd,
    stdio: [RawFd; 3],
    tasks: Vec<RawFd>,
    credentials: Option<&'a Credentials>,
    /// All that there should be, in order.
    groups_wanted: Vec<u32>,
    /// Room for one more than that.
    groups_found: Vec<u32>,
    setup: &'a Setup,
    hold: RawFd,
    hold_write: RawFd,
    report: RawFd,
    /// A pipe: reading and writing end; by it an init says that its child may go on.
    go: Option<[RawFd; 2]>,
}

impl<'a> Child<'a> {
    pub(super) fn new(what: &Clone<'a>, hold: RawFd, hold_write: RawFd, report: RawFd) -> Child<'a> {
        let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
            list.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let mut groups_wanted = what.credentials.map(|to| to.groups.clone()).unwrap_or_default();
        groups_wanted.sort_unstable();
        Child {
            programs: what.programs.iter().map(|s| s.as_ptr()).collect(),
            argv: pointers(what.argv),
            shell_argv: exec::shell_argv(what.argv),
            envp: pointers(what.envp),
            directory: what.directory.as_raw_fd(),
            stdio: what.stdio.map(|fd| fd.as_raw_fd()),
            tasks: what.tasks.iter().map(AsRawFd::as_raw_fd).collect(),
            credentials: what.credentials,
            groups_found: vec![0; groups_wanted.len() + 1],
            groups_wanted,
            setup: what.setup,
            hold,
            hold_write,
            report,
            go: None,
        }
    }

    /// Gives it the pipe that it needs if it becomes an init.
    pub(super) fn with_init(&mut self, go: [RawFd; 2]) {
        self.go = Some(go);
    }

    /// Adds a file by which it joins a cgroup.
    pub(super) fn join(&mut self, tasks: RawFd) {
        self.tasks.push(tasks);
    }

    /// The child's whole life up to its program.
    pub(super) fn run(&mut self) -> ! {
        // SAFETY: from here on to the end of this function only async-signal-safe system calls are made, on descriptors and
        // memory prepared before the clone, in a process that has a copy of them for itself.
        unsafe {
            libc::close(self.hold_write);
            for fd in &self.tasks {
                // The writer itself, by the number 0.
                if libc::write(*fd, c"0".as_ptr().cast(), 1) < 0 {
                    self.fail(ChildStep::Cgroups);
                }
            }
            if self.setup.cgroup_namespace && libc::unshare(libc::CLONE_NEWCGROUP) < 0 {
                self.fail(ChildStep::CgroupNamespace);
            }
            if libc::setsid() < 0 {
                self.fail(ChildStep::Session);
            }
            self.own_keyring();
            for (target, fd) in self.stdio.into_iter().enumerate() {
                if libc::dup3(fd, target as i32, 0) < 0 {
                    self.fail(ChildStep::Stdio);
                }
            }
            self.own_priorities();
            libc::umask(self.setup.umask);
            if let Some(name) = &self.setup.hostname
                && libc::sethostname(name.as_ptr(), name.as_bytes().len()) < 0
            {
                self.fail(ChildStep::Hostname);
            }
            if !self.setup.fasten_mounts {
                self.enter_user_namespace();
            }
            self.mount();
            self.drop_privileges();
            // Everything of ours is O_CLOEXEC already; this is for what a later change might forget.
            if !crate::weaken::is("descriptors") {
                libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            }
            default_signals();
            self.wait_for(self.hold);
            self.leave_to_init();
            // The last thing: it may forbid what was done before.
            self.filter_calls();
            self.exec()
        }
    }

    /// Leaves the agent's session keyring, of which every process has the keys that was forked from it, whoever its user is
    /// by now. Made before the user changes, the new one counts against root's quota.
    unsafe fn own_keyring(&self) {
        if crate::weaken::is("keyring") {
            return;
        }
        let unnamed = std::ptr::null::<libc::c_char>();
        // SAFETY: called by `run` under its conditions; the call takes a null pointer for no name.
        unsafe {
            if libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, unnamed) < 0 {
                match *libc::__errno_location() {
                    // There are no keyrings, or a filter above keeps them from the container, too; or an agent without root,
                    // whose keys its containers can have anyway, is at its user's limit.
                    libc::ENOSYS | libc::EPERM | libc::EACCES | libc::EDQUOT => {}
                    _ => self.fail(ChildStep::Session),
                }
            }
        }
    }

    /// What the agent has for itself is not for its tasks; where lowering is not allowed, it stays as it is unless
    /// somebody asked for that.
    unsafe fn own_priorities(&self) {
        // SAFETY: called by `run` under its conditions; constant paths.
        unsafe {
            // Before the nice value, which means nothing to the other policies. (The raw call: musl's does nothing.)
            let ordinary = libc::sched_param { sched_priority: 0 };
            libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_OTHER, &raw const ordinary);
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            libc::syscall(libc::SYS_ioprio_set, 1, 0, 0);
            let open = || libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            let mut adj = open();
            if adj < 0 && *libc::__errno_location() == libc::EACCES {
                // Of a process that is closed to its own account (see `detach`) all files there are root's.
                libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
                adj = open();
                libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
            }
            let text = self.setup.oom_score_adj.as_bytes();
            let written = adj >= 0 && libc::write(adj, text.as_ptr().cast(), text.len()) >= 0;
            if !written && self.setup.oom_score_adj_must_be {
                self.fail(ChildStep::OomScoreAdj);
            }
            libc::close(adj);
        }
    }

    /// Waits for a byte; ends with the end of who holds the other side.
    unsafe fn wait_for(&self, pipe: RawFd) {
        let mut byte = 0u8;
        // SAFETY: called by `run` under its conditions; reads one byte of its own stack.
        unsafe {
            loop {
                match libc::read(pipe, (&raw mut byte).cast(), 1) {
                    1 => return,
                    -1 if *libc::__errno_location() == libc::EINTR => {}
                    // End-of-file: the supervisor died or called the launch off.
                    _ => libc::_exit(1),
                }
            }
        }
    }

    unsafe fn fail(&self, step: ChildStep) -> ! {
        // SAFETY: passed on to the caller.
        unsafe { self.fail_at(step, 0) }
    }

    /// Reports a failure, with the number of what it was about where there are several, and ends.
    unsafe fn fail_at(&self, step: ChildStep, number: usize) -> ! {
        // SAFETY: called by `run` under its conditions; writes twelve bytes of its own stack.
        unsafe {
            let text = [step as u32, *libc::__errno_location() as u32, number as u32];
            libc::write(self.report, text.as_ptr().cast(), 12);
            libc::_exit(127)
        }
    }
}
