//! The same system call by another interface, whose numbers the filter does not mean.

use crate::agent::{need_root, skip};
use crate::seccomp::{SECCOMP, calls, said};

use super::prevented;

/// A program of 64 bits needs no more than one instruction to make a call of the 32-bit interface.
#[test]
fn calls_by_another_interface() {
    need_root!();
    if !crate::seccomp::has_x86() {
        skip!("this kernel has no 32-bit calls");
    }
    prevented("seccomp-interfaces", |agent| {
        let agent = agent.flag(SECCOMP).build();
        said(&agent.task(&calls("getppid x86")).launch()).0 == "getppid 0\nx86 0\n"
    });
}
