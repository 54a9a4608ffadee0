//! Entry and system calls of x86_64.

use core::arch::{asm, global_asm};

pub mod number {
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const PWRITE64: usize = 18;
    pub const WAIT4: usize = 61;
    pub const CAPSET: usize = 126;
    pub const PRCTL: usize = 157;
    pub const EXIT_GROUP: usize = 231;
}

global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {init}", "ud2", init = sym super::init);

/// # Safety
/// That of the call.
pub unsafe fn syscall(number: usize, [a, b, c, d]: [usize; 4]) -> isize {
    let result;
    // SAFETY: the kernel's convention; it changes rcx and r11 beside the result, and memory that the arguments name.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
             lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}
