//! What is kept about a container between the calls: ids, the state directory, checkpoints, locks, who owns it.
#![forbid(unsafe_code)]

mod atomic;
mod dir;
mod ended;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod id;
mod lock;
mod owner;
mod process;
mod scope;
#[cfg(test)]
mod state_laws;

pub use dir::{ContainerDir, Launched, Stage};
pub use ended::EndedDir;
pub use id::ContainerId;
pub use lock::Lock;
pub use owner::{Ownership, become_owner};
pub use process::{identify, is_alive, open_alive};
pub use scope::Scope;

/// Layout version of the state directory. Fields are only ever added to its messages; a change that an older program cannot
/// read gets a new number.
pub const STATE_VERSION: u32 = 1;

/// Whether this program knows the layout of a state directory. Its owner, while it lives, knows it in any case.
///
/// # Errors
/// It does not, and which one that is.
pub fn understand(dir: &ContainerDir, checkpoint: &crate::protocol::state::Checkpoint) -> crate::error::Result<()> {
    match checkpoint.version {
        ..=STATE_VERSION => Ok(()),
        version => Err(crate::error::Error::Refused(format!(
            "{} was written by a later mesos-ecp (layout {version}; this one knows up to {STATE_VERSION}), and its supervisor \
             is dead",
            dir.path().display()
        ))),
    }
}
