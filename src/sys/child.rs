//! The container's first process between clone and exec: raw system calls only, on what was prepared before.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{AsRawFd, RawFd};

use super::clone::{Clone, Credentials};
use super::default_signals;

/// What the child was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ChildStep {
    /// setsid(2).
    Session = 1,
    /// dup3(2) onto 0, 1, 2.
    Stdio,
    /// fchdir(2) to the sandbox.
    Directory,
    /// setgroups(2).
    Groups,
    /// setresgid(2).
    Gid,
    /// setresuid(2).
    Uid,
    /// execve(2).
    Exec,
    /// Writing to `tasks` (v1) and `cgroup.procs` (v2) files of cgroups.
    Cgroups,
}

impl ChildStep {
    /// The step that a child reported.
    pub(super) fn of(number: u32) -> ChildStep {
        use ChildStep::*;
        [Session, Stdio, Directory, Groups, Gid, Uid, Cgroups].into_iter().find(|s| *s as u32 == number).unwrap_or(Exec)
    }
}

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
    hold: RawFd,
    hold_write: RawFd,
    report: RawFd,
}

const SHELL: &std::ffi::CStr = c"/bin/sh";

impl<'a> Child<'a> {
    pub(super) fn new(what: &Clone<'a>, hold: RawFd, hold_write: RawFd, report: RawFd) -> Child<'a> {
        let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
            list.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let mut shell_argv = vec![SHELL.as_ptr(), std::ptr::null()];
        shell_argv.extend(what.argv.iter().skip(1).map(|s| s.as_ptr()));
        shell_argv.push(std::ptr::null());
        Child {
            programs: what.programs.iter().map(|s| s.as_ptr()).collect(),
            argv: pointers(what.argv),
            shell_argv,
            envp: pointers(what.envp),
            directory: what.directory.as_raw_fd(),
            stdio: what.stdio.map(|fd| fd.as_raw_fd()),
            tasks: what.tasks.iter().map(AsRawFd::as_raw_fd).collect(),
            credentials: what.credentials,
            hold,
            hold_write,
            report,
        }
    }

    /// Adds a file by which it joins a cgroup.
    pub(super) fn join(&mut self, tasks: RawFd) {
        self.tasks.push(tasks);
    }

    /// The child's whole life up to its program.
    pub(super) fn run(&mut self) -> ! {
        let mut byte = 0u8;
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
            if libc::setsid() < 0 {
                self.fail(ChildStep::Session);
            }
            for (target, fd) in self.stdio.into_iter().enumerate() {
                if libc::dup3(fd, target as i32, 0) < 0 {
                    self.fail(ChildStep::Stdio);
                }
            }
            // What the agent has for itself is not for its tasks; where lowering is not allowed, it stays as it is.
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            libc::syscall(libc::SYS_ioprio_set, 1, 0, 0);
            let adj = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if adj >= 0 {
                libc::write(adj, c"0".as_ptr().cast(), 1);
                libc::close(adj);
            }
            libc::umask(0o022);
            if libc::fchdir(self.directory) < 0 {
                self.fail(ChildStep::Directory);
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
            // Everything of ours is O_CLOEXEC already; this is for what a later change might forget.
            libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            default_signals();
            loop {
                match libc::read(self.hold, (&raw mut byte).cast(), 1) {
                    1 => break,
                    -1 if *libc::__errno_location() == libc::EINTR => {}
                    // End-of-file: the supervisor died or called the launch off.
                    _ => libc::_exit(1),
                }
            }
            self.exec()
        }
    }

    /// As execvp(3): a program that may not be run does not hide a later one, a script without `#!` is run by the shell.
    unsafe fn exec(&mut self) -> ! {
        let mut errno = libc::ENOENT;
        // SAFETY: called by `run` under its conditions; all pointers are to null-terminated arrays of C strings.
        unsafe {
            for program in &self.programs {
                libc::execve(*program, self.argv.as_ptr(), self.envp.as_ptr());
                match *libc::__errno_location() {
                    libc::ENOENT | libc::ENOTDIR => {}
                    libc::EACCES => errno = libc::EACCES,
                    libc::ENOEXEC => {
                        self.shell_argv[1] = *program;
                        libc::execve(SHELL.as_ptr(), self.shell_argv.as_ptr(), self.envp.as_ptr());
                        errno = libc::ENOEXEC;
                        break;
                    }
                    other => {
                        errno = other;
                        break;
                    }
                }
            }
            *libc::__errno_location() = errno;
            self.fail(ChildStep::Exec)
        }
    }

    unsafe fn fail(&self, step: ChildStep) -> ! {
        // SAFETY: called by `run` under its conditions; writes eight bytes of its own stack.
        unsafe {
            let text = [step as u32, *libc::__errno_location() as u32];
            libc::write(self.report, text.as_ptr().cast(), 8);
            libc::_exit(127)
        }
    }
}
