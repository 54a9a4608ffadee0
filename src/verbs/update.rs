//! `update`: new resources for a container. A non-zero exit makes the agent destroy it.
#![forbid(unsafe_code)]

use std::io::Read;

use super::context::{Context, read};
use super::refuse::persistent_volumes;
use crate::cli::Verb;
use crate::config::Settings;
use crate::container::{ContainerId, Lock, understand};
use crate::error::{Error, Result};
use crate::protocol::mesos::containerizer::Update;
use crate::protocol::resources::merge;
use crate::supervisor::Charge;

/// Several may run at once, in no order: one after the other for a container. Where cpus or mem are missing the old ones
/// stand; an unknown or ended container is no failure.
pub fn run(settings: &Settings, input: &mut impl Read) -> Result<()> {
    let update: Update = read(input)?;
    let id = ContainerId::new(&update.container_id.value)?;
    let context = Context::new(Verb::Update, settings)?;
    let Some(dir) = context.scope.live(&id) else {
        return Ok(());
    };
    let isolators = u32::try_from(context.config.isolation.len()).unwrap_or(u32::MAX);
    let others = context.config.isolator_timeout.saturating_mul(isolators);
    let Some(_lock) = Lock::take_among(dir.path(), others)? else {
        return Ok(());
    };
    let Some(checkpoint) = dir.checkpoint()? else {
        return Ok(());
    };
    understand(&dir, &checkpoint)?;
    // An update names all that counts, so it mends a damaged file as well; what it does not name is as it was at the launch.
    let old = || match dir.resources() {
        Err(Error::Refused(_)) => dir.launched_resources(),
        resources => resources,
    };
    let updated = persistent_volumes(&update.resources, &checkpoint.isolation).and_then(|()| old()).and_then(|old| {
        let resources = merge(&old, update.resources);
        dir.write_resources(&resources)?;
        let charge = Charge::of(dir.clone(), checkpoint, &context.config, &context.proc)?;
        charge.set.update(&dir, &charge.container(&resources))
    });
    match updated {
        // It ended meanwhile, and with it went what was to be updated.
        Err(_) if context.scope.live(&id).is_none() => Ok(()),
        updated => updated,
    }
}
