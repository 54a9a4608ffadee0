//! The program's entry, in place of the standard library's: that one reads /proc/self/maps to place a guard page and sets up a
//! signal stack, which takes a twelfth of the CPU time of a short verb. Part of the binary, not of the library.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

/// What the C runtime calls. (The standard library finds the arguments by itself on glibc.)
// SAFETY: the binary is built with `no_main`, so this is its only symbol of the name, and it has the C runtime's signature.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    for fd in 0..3 {
        // As the standard library does: a closed standard stream must not become the number of a file that is opened next.
        // SAFETY: asks about a number; opens a constant path, which takes the lowest free number, that is `fd`.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) < 0 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
    crate::start()
}
