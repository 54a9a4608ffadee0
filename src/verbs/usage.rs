//! `usage`: one sample. Takes no lock; before the start and after the end it is just the time.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::time::SystemTime;

use super::context::{Context, read};
use crate::cli::Verb;
use crate::config::Settings;
use crate::container::ContainerId;
use crate::error::Result;
use crate::protocol::mesos::ResourceStatistics;
use crate::protocol::mesos::containerizer::Usage;
use crate::protocol::resources::{mem_bytes, scalar};
use crate::protocol::write_record;
use crate::supervisor::Charge;

/// Writes a ResourceStatistics record with the time, the limits and what the isolators measure.
pub fn run(settings: &Settings, input: &mut impl Read, output: &mut impl Write) -> Result<()> {
    let usage: Usage = read(input)?;
    let id = ContainerId::new(&usage.container_id.value)?;
    let context = Context::new(Verb::Usage, settings)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    let mut statistics = ResourceStatistics { timestamp: now, ..ResourceStatistics::default() };
    if let Err(e) = measure(&context, &id, &mut statistics)
        && context.scope.live(&id).is_some()
    {
        // It is there and cannot be measured: the sample says nothing, and that is said.
        context.warn(&e.to_string());
    }
    Ok(write_record(output, &statistics)?)
}

fn measure(context: &Context, id: &ContainerId, statistics: &mut ResourceStatistics) -> Result<()> {
    let Some(dir) = context.scope.live(id) else {
        return Ok(());
    };
    let Some(checkpoint) = dir.checkpoint()?.filter(|c| c.first.is_some()) else {
        return Ok(());
    };
    let resources = dir.resources()?;
    statistics.cpus_limit = scalar(&resources, "cpus");
    statistics.mem_limit_bytes = mem_bytes(&resources);
    let charge = Charge::of(dir.clone(), checkpoint, &context.config, &context.proc)?;
    charge.set.usage(&dir, &charge.container(&resources), statistics, |e| context.warn(&e));
    Ok(())
}
