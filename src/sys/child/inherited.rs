//! What is not handed on from whoever started the agent.
#![allow(unsafe_code)]

use super::{Child, ChildStep};

/// _LINUX_CAPABILITY_VERSION_3 of linux/capability.h.
const VERSION: u32 = 0x2008_0522;

impl Child<'_> {
    /// Leaves no inheritable and no ambient capability: a program that another user executes would get them.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn inherit_nothing(&self) {
        let mut header = [VERSION, 0];
        // Effective, permitted and inheritable: those below 32, then the others.
        let mut sets = [0u32; 6];
        // SAFETY: called by `run` under its conditions; the kernel reads eight bytes and reads or writes twenty-four, all of
        // them of this stack.
        unsafe {
            if libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) < 0 {
                self.fail(ChildStep::Capabilities);
            }
            if sets[2] == 0 && sets[5] == 0 {
                // What is ambient is inheritable, too.
                return;
            }
            // This takes them out of the ambient ones as well.
            (sets[2], sets[5]) = (0, 0);
            if libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) < 0 {
                self.fail(ChildStep::Capabilities);
            }
        }
    }
}
