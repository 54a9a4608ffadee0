//! Into the user namespace that was made for the container, from the host's: after all that takes the host's root.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;

use super::{Child, ChildStep};

impl Child<'_> {
    /// Enters the user namespace, if there is one, with all capabilities in it and no id of it. A copy of the mount
    /// namespace becomes the namespace's: what was mounted so far is fast there, so that nobody inside can unmount a mask
    /// or make a read-only volume writable again.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn enter_user_namespace(&self) {
        let Some(namespace) = &self.setup.user_namespace else {
            return;
        };
        // SAFETY: called by `run` under its conditions; an open descriptor and numbers.
        unsafe {
            if libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWUSER) < 0 {
                self.fail(ChildStep::UserNamespace);
            }
            // Without a directory by its path there is no mount namespace but the host's.
            if self.setup.directory.is_some() && libc::unshare(libc::CLONE_NEWNS) < 0 {
                self.fail(ChildStep::UserNamespace);
            }
        }
    }
}
