//! `destroy`: returns when the container is entirely gone.
#![forbid(unsafe_code)]

use std::io::Read;

use super::context::{Context, read};
use crate::cli::Verb;
use crate::config::Settings;
use crate::container::ContainerId;
use crate::error::Result;
use crate::protocol::mesos::containerizer::Destroy;
use crate::supervisor::see_gone;

/// Leaves a mark, wakes the owner and waits for its end. An unknown or ended container is no failure.
pub fn run(settings: &Settings, input: &mut impl Read) -> Result<()> {
    let destroy: Destroy = read(input)?;
    let id = ContainerId::new(&destroy.container_id.value)?;
    destroy_container(&Context::new(Verb::Destroy, settings)?, &id)
}

/// Ends a container, whatever state it is in.
///
/// # Errors
/// When it is not gone after its destroy timeout.
pub fn destroy_container(context: &Context, id: &ContainerId) -> Result<()> {
    see_gone(&context.scope, id, true, &context.config, &context.proc)?;
    let ended = context.scope.ended(id);
    if ended.path().exists()
        && let Err(e) = ended.mark_destroyed()
        && ended.path().exists()
    {
        // It has ended, which is what was asked for; it is only listed longer.
        context.warn(&e.to_string());
    }
    Ok(())
}
