//! `recover`: what the agent calls first at its start. A failure here makes it give up, so what can go on does.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::{Duration, Instant};

use super::context::Context;
use crate::cli::Verb;
use crate::config::Settings;
use crate::container::ContainerId;
use crate::error::Result;
use crate::supervisor::{OWNERS_RECORD, adopt_or_abandon};

/// For an owner's record when there are many to wait for.
const SHORT: Duration = Duration::from_millis(50);

/// For each container: its supervisor lives, then it is left alone; else somebody takes over, who goes on with it or undoes
/// what was half made. Sweeps the state of other boots and records that nobody will ask for.
pub fn run(settings: &Settings) -> Result<()> {
    let context = Context::new(Verb::Recover, settings)?;
    context.scope.repair().iter().for_each(|warning| context.warn(warning));
    context.scope.sweep(context.config.answered_retention, true);
    for (id, ended) in listed(&context, context.scope.all_ended()) {
        if let Err(why) = ended.record()
            && !why.may_pass()
        {
            let aside = set_aside(&context, ended.path(), &id);
            context.warn(&format!("ended container {id}: {why}; {aside}"));
        }
    }
    let begin = Instant::now();
    for dir in listed(&context, context.scope.all_live()) {
        // Many that are damaged do not keep the agent waiting for each.
        let patience = OWNERS_RECORD.saturating_sub(begin.elapsed() / 4).max(SHORT);
        match adopt_or_abandon(&context.scope, &dir, patience, &context.config, &context.proc) {
            Ok(None) => {}
            Ok(Some(warning)) => context.warn(&warning),
            Err(e) => context
                .warn(&format!("container {}: {e}; it is left as it is, wait or destroy will try again", dir.id())),
        }
    }
    Ok(())
}

fn listed<T>(context: &Context, found: Result<Vec<T>>) -> Vec<T> {
    found.unwrap_or_else(|why| {
        context.warn(&why.to_string());
        Vec::new()
    })
}

fn set_aside(context: &Context, dir: &Path, id: &ContainerId) -> String {
    context.scope.set_aside(dir, id).map_or_else(|e| e.to_string(), |to| format!("set aside as {}", to.display()))
}
