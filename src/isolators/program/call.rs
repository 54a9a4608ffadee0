//! What a program is told, and what it may answer.
#![forbid(unsafe_code)]

use std::ffi::OsString;

use prost::Message;

use super::form;
use crate::container::is_alive;
use crate::error::{Error, Result};
use crate::isolator::Container;
use crate::protocol::isolator::{Call, Cgroup, Reply};
use crate::protocol::mesos::Resource;

/// The message's full name.
pub(super) const NAME: &str = "mesos_ecp.isolator.Call";

/// The message of one call. `controllers`: those that it is told the cgroups of.
pub(in crate::isolators) fn message(
    container: &Container<'_>,
    facts: &[u8],
    resources: &[Resource],
    controllers: &[&str],
) -> Call {
    let cgroup = |controller: &&str| {
        // Cgroups that are not there (any more) are left out.
        let path = container.cgroups.path(controller).ok()?;
        Some(Cgroup {
            controller: (*controller).to_owned(),
            path: path.to_string_lossy().into_owned(),
            unified: Some(container.cgroups.is_unified(controller)),
        })
    };
    // A number that may be another process's by now is worse than none.
    let first = container.first.filter(|process| container.asked.is_some() || is_alive(container.proc, process));
    let inside = || container.sandbox_inside().to_string_lossy().into_owned();
    Call {
        container_id: Some(container.id.as_str().to_owned()),
        facts: (!facts.is_empty()).then(|| String::from_utf8_lossy(facts).into_owned()),
        sandbox: Some(container.sandbox.to_string_lossy().into_owned()),
        user: container.user.map(str::to_owned),
        pid: first.map(|process| process.pid),
        resources: resources.to_vec(),
        launch: container.asked.map(|asked| asked.launch.clone()),
        cgroups: controllers.iter().filter_map(cgroup).collect(),
        ended: container.ended.cloned(),
        sandbox_inside: (container.asked.is_some() && first.is_none()).then(inside),
    }
}

/// What a program finds in its environment, beside PATH. By the mark whoever takes over from a dead supervisor finds what that one has
/// started, and whoever ends the container all that was: see [`marks`].
pub(in crate::isolators) fn environment(container: Option<&Container<'_>>) -> Vec<(&'static str, OsString)> {
    let Some(container) = container else {
        return Vec::new();
    };
    let is_owner = container.owner.pid == std::process::id() as i32;
    let mut all: Vec<(&'static str, OsString)> = vec![
        ("MESOS_CONTAINER_ID", container.id.as_str().into()),
        ("MESOS_SANDBOX", container.sandbox.as_os_str().to_owned()),
    ];
    all.extend(container.mark.map(|mark| (MARK, OsString::from(marked(mark, is_owner)))));
    all
}

/// The variable with the container's mark.
const MARK: &str = "ISOLATOR_CALL";

fn marked(mark: &str, by_owner: bool) -> String {
    format!("{mark}-{}", if by_owner { "owner" } else { "verb" })
}

/// Entries of environments, as `NAME=VALUE`, of what was started for the container of this mark: by its owner, by verbs.
pub(in crate::isolators) fn marks(mark: &str) -> [String; 2] {
    [true, false].map(|by_owner| format!("{MARK}={}", marked(mark, by_owner)))
}

/// Understands the answer to `call`.
///
/// # Errors
/// It is none, or has what is not for this call: somebody expects it to have an effect.
pub(super) fn reply(call: &str, answer: &[u8]) -> Result<Reply> {
    let (_, bytes) = form::read("mesos_ecp.isolator.Reply", answer)?;
    // Not by our stricter decoder: the timestamp that statistics must have is ours, not the program's.
    let reply = Reply::decode(&*bytes).map_err(|e| Error::Refused(format!("it is not a Reply record: {e}")))?;
    let only = |what: &str, there: bool, of: &[&str]| {
        if there && !of.contains(&call) {
            return Err(Error::Refused(format!("it has {what}, which only {} may answer", of.join(", "))));
        }
        Ok(())
    };
    only("facts", reply.facts.is_some(), &["plan", "prepare", "update", "recover"])?;
    only("statistics", reply.statistics.is_some(), &["usage"])?;
    only("a reason", reply.reason.is_some(), &["watch"])?;
    for (what, there) in [
        ("environment", reply.environment.is_some()),
        ("mounts", !reply.mounts.is_empty()),
        ("namespaces", !reply.namespaces.is_empty()),
        ("drop_capabilities", !reply.drop_capabilities.is_empty()),
        ("argv", !reply.argv.is_empty()),
        ("files", !reply.files.is_empty()),
    ] {
        only(what, there, &["prepare"])?;
    }
    Ok(reply)
}

/// The most of a program's own text in a message, in characters: it goes on to the agent and the framework.
const LONGEST_TEXT: usize = 4096;

/// A text of the program's for a message of ours, which has one line.
pub(super) fn one_line(text: &str) -> String {
    text.trim_end().chars().take(LONGEST_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_that_would_have_no_effect_is_refused() {
        let error = |call, answer: &str| reply(call, answer.as_bytes()).unwrap_err().to_string();
        assert!(error("usage", r#"{"facts": "x"}"#).contains("facts, which only plan, prepare, update, recover may"));
        assert!(error("isolate", r#"{"argv": ["/bin/nice"]}"#).contains("argv, which only prepare may"));
        assert!(error("cleanup", r#"{"statistics": {"cpus_limit": 1}}"#).contains("only usage"));
        assert!(error("update", r#"{"fact": "x"}"#).contains("fact"));
        assert_eq!(reply("plan", br#"{"facts": "x"}"#).unwrap().facts.unwrap(), "x");
    }

    #[test]
    fn figures_need_no_timestamp() {
        let reply = reply("usage", br#"{"statistics": {"processes": 3}}"#).unwrap();
        assert_eq!(reply.statistics.unwrap().processes, Some(3));
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(one_line("no room\nfor cats\x1b[1m\n"), "no room for cats [1m");
        assert_eq!(one_line(&"x".repeat(1 << 20)).len(), LONGEST_TEXT);
    }
}
