//! Entry and system calls of aarch64.

use core::arch::{asm, global_asm};

pub mod number {
    pub const CLOSE: usize = 57;
    pub const WRITE: usize = 64;
    pub const PWRITE64: usize = 68;
    pub const CAPSET: usize = 91;
    pub const EXIT_GROUP: usize = 94;
    pub const PRCTL: usize = 167;
    pub const WAIT4: usize = 260;
}

global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "mov x0, sp", "bl {init}", "udf #0", init = sym super::init);

/// # Safety
/// That of the call.
pub unsafe fn syscall(number: usize, [a, b, c, d]: [usize; 4]) -> isize {
    let result;
    // SAFETY: the kernel's convention; it changes the result alone, and memory that the arguments name.
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d,
             options(nostack));
    }
    result
}
