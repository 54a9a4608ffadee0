//! Has the kernel allow in the sandbox what its owner may do there, and no more, where this process is root.
#![forbid(unsafe_code)]

use std::io;

use nix::sys::prctl::{get_pdeathsig, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// As long as it lives, this thread uses files as another user, and what it makes is that user's.
///
/// Without it all would have to be given away once it was made, and whoever owns the sandbox could put a directory of
/// root's in the place of a new one at that moment.
pub(super) struct AsOwner {
    before: (Uid, Gid),
    signal: Option<Signal>,
}

impl AsOwner {
    /// # Errors
    /// EPERM, if this process may not.
    pub(super) fn new((uid, gid): (Uid, Gid)) -> io::Result<Self> {
        let signal = get_pdeathsig()?;
        // The user comes last: root's capabilities for files go with it.
        let before_gid = setfsgid(gid);
        let rights = Self { before: (setfsuid(uid), before_gid), signal };
        // Neither call says whether it failed; each returns what was in force.
        if (setfsuid(uid), setfsgid(gid)) != (uid, gid) {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        // The kernel forgets it with each change of these ids.
        set_pdeathsig(signal)?;
        Ok(rights)
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        setfsuid(self.before.0);
        setfsgid(self.before.1);
        // The launch that is called off meanwhile has its time limit, too.
        let _ = set_pdeathsig(self.signal);
    }
}
