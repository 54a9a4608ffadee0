//! Whose duty a container is. Exactly one process at a time: the supervisor, then whoever takes over from a dead one. It
//! changes only under the container's lock, by comparing and setting.
#![forbid(unsafe_code)]

use super::{ContainerDir, Lock, Stage, identify, is_alive, understand};
use crate::error::Result;
use crate::proc::Proc;
use crate::protocol::state::{Checkpoint, Process};

/// The outcome of [`become_owner`].
#[derive(Debug)]
pub enum Ownership {
    /// It is this process's duty now.
    Mine(Box<Checkpoint>),
    /// Somebody alive has it.
    Theirs(Process),
    /// The container is not there any more.
    Gone,
}

/// Makes this process the owner if the present one is dead.
///
/// # Errors
/// When the checkpoint cannot be read or written, or is of a layout that this program does not know.
pub fn become_owner(proc: &Proc, dir: &ContainerDir) -> Result<Ownership> {
    let Some(_lock) = Lock::take(dir.path())? else {
        return Ok(Ownership::Gone);
    };
    let Some(mut checkpoint) = dir.checkpoint()? else {
        return Ok(Ownership::Gone);
    };
    let me = identify(proc, std::process::id() as i32)?;
    if checkpoint.owner == me {
        return Ok(Ownership::Mine(Box::new(checkpoint)));
    }
    if is_alive(proc, &checkpoint.owner) {
        return Ok(Ownership::Theirs(checkpoint.owner));
    }
    understand(dir, &checkpoint)?;
    checkpoint.owner = me;
    checkpoint.adopted = Some(true);
    dir.write_checkpoint(Stage::Adopted, &checkpoint)?;
    Ok(Ownership::Mine(Box::new(checkpoint)))
}
