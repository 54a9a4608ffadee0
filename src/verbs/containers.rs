//! `containers`: all that the agent may still have to hear about. A failure here makes the agent give up its start.
#![forbid(unsafe_code)]

use std::io::Write;

use super::context::Context;
use crate::cli::Verb;
use crate::config::Settings;
use crate::error::Result;
use crate::protocol::mesos::ContainerId;
use crate::protocol::mesos::containerizer::Containers;
use crate::protocol::write_record;

/// Lists those being prepared or running and those ended whose status the agent may not have.
pub fn run(settings: &Settings, output: &mut impl Write) -> Result<()> {
    let context = Context::new(Verb::Containers, settings)?;
    // The live ones first: one that ends in between is then found among the ended ones, or twice.
    let mut ids: Vec<String> = context.scope.all_live()?.iter().map(|dir| dir.id().to_string()).collect();
    for (id, ended) in context.scope.all_ended()? {
        if ended.is_listed(context.scope.work_dir()) && !ids.iter().any(|live| live == id.as_str()) {
            ids.push(id.to_string());
        }
    }
    let containers = ids.into_iter().map(|value| ContainerId { value }).collect();
    Ok(write_record(output, &Containers { containers })?)
}
