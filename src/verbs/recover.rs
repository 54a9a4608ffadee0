//! `recover`: what the agent calls first at its start. A failure here makes it give up, so what can go on does.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::{Duration, Instant};

use super::context::Context;
use crate::cli::Verb;
use crate::config::Settings;
use crate::container::{ContainerDir, ContainerId, is_alive, open_alive};
use crate::error::Result;
use crate::protocol::state::Process;
use crate::supervisor::{self, adopt};

/// How long the live owner of a damaged state gets to write down how its container ended.
const OWNERS_RECORD: Duration = Duration::from_millis(500);

/// For each container: its supervisor lives, then it is left alone; else somebody takes over, who goes on with it or undoes
/// what was half made. Sweeps the state of other boots and records that nobody will ask for.
pub fn run(settings: &Settings) -> Result<()> {
    let context = Context::new(Verb::Recover, settings)?;
    context.scope.sweep(context.config.answered_retention, true);
    for (id, ended) in context.scope.all_ended()? {
        if let Err(why) = ended.record()
            && why.io().is_none()
        {
            let aside = set_aside(&context, ended.path(), &id);
            context.warn(&format!("ended container {id}: {why}; {aside}"));
        }
    }
    for dir in context.scope.all_live()? {
        match dir.checkpoint() {
            Ok(Some(checkpoint)) if is_alive(&context.proc, &checkpoint.owner) => {
                remind(&context, &dir, &checkpoint.owner)
            }
            Ok(Some(_)) => {
                if let Err(e) = adopt(&dir, None, &context.config, &context.proc) {
                    context.warn(&format!("{e}; the container is left as it is, wait or destroy will try again"));
                }
            }
            // It ended just now.
            Ok(None) => {}
            // The host's trouble (no descriptors, no memory), not the container's.
            Err(why) if why.io().is_some() => context.warn(&format!("container {}: {why}; left as it is", dir.id())),
            Err(why) => {
                // Nobody can know what to do with it, least of all its owner: what can be found of it is ended first.
                let left = supervisor::end_damaged(&dir, &context.config, &context.proc);
                // An owner that lives sees the end, and its record is better than none.
                let begin = Instant::now();
                while dir.path().exists() && begin.elapsed() < OWNERS_RECORD {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let aside = match dir.path().exists() {
                    true => set_aside(&context, dir.path(), dir.id()),
                    false => "its supervisor wrote how it ended".to_owned(),
                };
                context.warn(&format!("container {}: {why}; {left}; {aside}", dir.id()));
            }
        }
    }
    Ok(())
}

/// A destroy that was killed may have left its mark and not have told the owner, who would go by it at some later time.
fn remind(context: &Context, dir: &ContainerDir, owner: &Process) {
    if dir.is_destroy_requested()
        && let Some(owner) = open_alive(&context.proc, owner)
    {
        // That it has ended meanwhile is as good.
        let _ = owner.kill(libc::SIGUSR1);
    }
}

fn set_aside(context: &Context, dir: &Path, id: &ContainerId) -> String {
    context.scope.set_aside(dir, id).map_or_else(|e| e.to_string(), |to| format!("set aside as {}", to.display()))
}
