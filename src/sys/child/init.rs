//! With an init: the first process forks, its child goes on to the command, and it becomes the init itself.
//!
//! The child waits for a byte that only the init writes, when nobody may look into it any more: before that it is a copy of the
//! supervisor.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;

use super::{Child, ChildStep};

const NAME: &std::ffi::CStr = c"mesos-ecp-init";

impl Child<'_> {
    /// Returns in the process that is to execute the command; at once if there is no init.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn leave_to_init(&self) {
        let (Some(init), Some([go_read, go_write])) = (&self.setup.init, self.go) else {
            return;
        };
        // SAFETY: called by `run` under its conditions. The clone shares no memory and has no stack of its own, as fork(2),
        // whose handlers and locks it does without. Arrays of pointers end with a null and outlive the call.
        unsafe {
            let pid = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
            match pid {
                0 => {
                    libc::close(go_write);
                    if libc::setsid() < 0 {
                        self.fail(ChildStep::Session);
                    }
                    return self.wait_for(go_read);
                }
                -1 => self.fail(ChildStep::Fork),
                _ => {}
            }
            // What it gets; everything else is closed by the exec. Nobody can have closed 0 to 2, so none of these is one.
            if libc::dup3(init.status.as_raw_fd(), 0, 0) < 0 || libc::dup3(go_write, 1, 0) < 0 {
                self.fail(ChildStep::Stdio);
            }
            libc::close(2);
            // It would keep the sandbox busy. Where it may not, it stays.
            libc::chdir(c"/".as_ptr());
            // Not filtered: the container's filter is about its programs, and need not allow what this one does.
            let mut digits = [0u8; 12];
            let executor = decimal(pid as u32, &mut digits);
            let (argv, envp) = ([NAME.as_ptr(), executor, std::ptr::null()], [std::ptr::null::<libc::c_char>()]);
            let program = init.program.as_raw_fd();
            libc::syscall(libc::SYS_execveat, program, c"".as_ptr(), argv.as_ptr(), envp.as_ptr(), libc::AT_EMPTY_PATH);
            self.fail(ChildStep::Init)
        }
    }
}

/// The number as a C string, in the end of `digits`.
fn decimal(mut number: u32, digits: &mut [u8; 12]) -> *const libc::c_char {
    let mut at = digits.len() - 1;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return digits[at..].as_ptr().cast();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn numbers_as_text() {
        for (number, text) in [(0, c"0"), (2, c"2"), (4_194_304, c"4194304"), (u32::MAX, c"4294967295")] {
            let mut digits = [0; 12];
            decimal(number, &mut digits);
            let from = digits.iter().position(|b| *b != 0).unwrap();
            assert_eq!(CStr::from_bytes_until_nul(&digits[from..]).unwrap(), text);
        }
    }
}
