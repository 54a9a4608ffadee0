//! `mesos-ecp-init`: the first process of a pid namespace with `--pid1=init`. It waits for everything that ends in there, leaves
//! the status of the executor in a file, and ends with it, whereupon the kernel kills the rest. Not for being called by hand.
//!
//! It is a program of its own, without a standard library, so that it is small: a few pages for each container, and nothing
//! of the supervisor's memory or binary can be reached through it. What it is given is in [`super::child`]: descriptor 0 is the
//! file for the status (4 bytes, as wait(2) has it, at the beginning), descriptor 1 a pipe that takes one byte when the
//! executor may run, the only argument is the executor's pid. It has no other descriptor, opens none, and takes no signals:
//! what pid 1 has no handler for, the kernel keeps from it, but SIGKILL and SIGSTOP from outside.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod arch;

use arch::{number, syscall};

const STATUS: usize = 0;
const GO: usize = 1;

const PR_SET_DUMPABLE: usize = 4;
const PR_SET_NAME: usize = 15;
/// All children, however they were cloned.
const WALL: usize = 0x4000_0000;
const EINTR: isize = -4;
/// Of capset(2): the version with 64 bits of each set.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Called by the entry with the stack as the kernel leaves it: the number of arguments, then pointers to them.
///
/// # Safety
/// `stack` is that pointer.
#[unsafe(no_mangle)]
unsafe extern "C" fn init(stack: *const usize) -> ! {
    // SAFETY: what the caller says; the third word is the second argument or the null at their end.
    let executor = unsafe { decimal(*stack.add(2) as *const u8) };
    // Nobody may trace it, look into it or open its descriptors in /proc but who may trace everybody.
    if call(number::PRCTL, [PR_SET_DUMPABLE, 0, 0, 0]) != 0 {
        exit(1);
    }
    call(number::PRCTL, [PR_SET_NAME, c"mesos-ecp-init".as_ptr() as usize, 0, 0]);
    // It needs none.
    let (header, none) = ([CAPABILITY_VERSION, 0], [0u32; 6]);
    call(number::CAPSET, [header.as_ptr() as usize, none.as_ptr() as usize, 0, 0]);
    if call(number::WRITE, [GO, c"x".as_ptr() as usize, 1, 0]) != 1 {
        exit(1);
    }
    call(number::CLOSE, [GO, 0, 0, 0]);
    let mut status = 0u32;
    loop {
        let ended = call(number::WAIT4, [usize::MAX, &raw mut status as usize, WALL, 0]);
        if ended == executor {
            break;
        }
        if ended < 0 && ended != EINTR {
            // No child is left, and the executor was one: cannot be.
            exit(1);
        }
    }
    call(number::PWRITE64, [STATUS, &raw const status as usize, size_of::<u32>(), 0]);
    // For who looks at this process and not at the file: as a shell says it.
    let signal = status & 0x7f;
    exit(if signal == 0 { (status >> 8) & 0xff } else { 128 + signal })
}

/// The number that a C string begins with; 0, which is no process, for none.
///
/// # Safety
/// `text` is null or points to a C string.
unsafe fn decimal(text: *const u8) -> isize {
    let mut value: isize = 0;
    let mut at = text;
    while !at.is_null() {
        // SAFETY: goes no further than the first byte that is no digit, as the null at the end is none.
        let byte = unsafe { *at };
        if !byte.is_ascii_digit() {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(isize::from(byte & 0xf));
        at = at.wrapping_add(1);
    }
    value
}

fn call(number: usize, arguments: [usize; 4]) -> isize {
    // SAFETY: the calls above are given numbers, and pointers to live memory of the size that they take.
    unsafe { syscall(number, arguments) }
}

fn exit(code: u32) -> ! {
    loop {
        call(number::EXIT_GROUP, [code as usize, 0, 0, 0]);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(70)
}

/// Named by the unwinding tables of what is linked in from `core`; nothing here unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
