//! Executing the container's command.
#![allow(unsafe_code)]

use std::ffi::CString;

use super::{Child, ChildStep};

const SHELL: &std::ffi::CStr = c"/bin/sh";

/// The argv by which the shell runs a script; its second place is for the script.
pub(super) fn shell_argv(argv: &[CString]) -> Vec<*const libc::c_char> {
    let mut shell_argv = vec![SHELL.as_ptr(), std::ptr::null()];
    shell_argv.extend(argv.iter().skip(1).map(|s| s.as_ptr()));
    shell_argv.push(std::ptr::null());
    shell_argv
}

impl Child<'_> {
    /// As execvp(3): a program that may not be run does not hide a later one, a script without `#!` is run by the shell.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn exec(&mut self) -> ! {
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
}
