//! Container ids that are paths: what they would reach if they were not refused.

use std::fs;
use std::path::PathBuf;

use super::prevented;
use crate::agent::container::AWAIT_GO;
use crate::agent::messages::{scalar, update};
use crate::agent::{Agent, Builder, need_root};

/// The state of the agent in `live` (or `ended`), as a path from its runtime directory.
fn below(agent: &Agent, part: &str, id: &str) -> PathBuf {
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut boots = entries(agent.runtime_dir.clone()).flat_map(entries);
    let found = boots.find(|boot| boot.join(part).join(id).is_dir()).expect("the container has a state");
    found.strip_prefix(&agent.runtime_dir).unwrap().join(part).join(id)
}

/// Another agent's container by an id that this agent gives. Both agents have root's runtime directory, as on a host of two.
fn anothers(part: &str, other: &Agent, id: &str) -> String {
    format!("../../../{}", below(other, part, id).display())
}

#[test]
fn another_agents_container_is_not_destroyed() {
    prevented("ids", |builder| {
        let other = Agent::new();
        let victim = other.task("sleep 1000").launch();
        let attacker = builder.beside(&other).build();
        attacker.about("destroy", &anothers("live", &other, &victim.id)).run();
        other.containers() != [victim.id.as_str()]
    });
}

#[test]
fn another_agents_container_is_not_updated() {
    prevented("ids", |builder| {
        let other = Agent::new();
        let victim = other.task("sleep 1000").launch();
        let attacker = builder.beside(&other).build();
        let id = anothers("live", &other, &victim.id);
        attacker.invoke("update").record(update(&id, &[scalar("mem", 77.0)]).record()).run();
        victim.usage().mem_limit_bytes() == Some(77 << 20)
    });
}

#[test]
fn another_agents_container_is_not_measured() {
    prevented("ids", |builder| {
        let other = Agent::new();
        let victim = other.task("sleep 1000").resources(vec![scalar("mem", 77.0)]).launch();
        let attacker = builder.beside(&other).build();
        let output = attacker.about("usage", &anothers("live", &other, &victim.id)).run();
        output.status.success() && output.statistics().mem_limit_bytes() == Some(77 << 20)
    });
}

#[test]
fn another_agents_answer_is_not_taken() {
    prevented("ids", |builder| {
        let other = Agent::new();
        let victim = other.task(&format!("{AWAIT_GO}; exit 3")).launch();
        victim.go();
        victim.wait().assert_status(3 << 8);
        let attacker = builder.beside(&other).build();
        // By way of one of its own that has ended: such an id is a directory among the ended ones only.
        let own = attacker.task("exit 0").launch();
        own.wait().assert_status(0);
        let id = format!("{}/../{}", own.id, anothers("ended", &other, &victim.id));
        let output = attacker.about("wait", &id).run();
        output.status.success() && output.termination().status == Some(3 << 8)
    });
}

/// Without root, so that there are no cgroups: their paths would be elsewhere too.
#[test]
fn no_container_is_launched_that_is_not_listed() {
    need_root!();
    prevented("ids", |builder| {
        let agent = builder.unprivileged().build();
        // live, boot, agent, runtime directory.
        let (container, output) = agent.task("exec sleep 1000").id("../../../../stray").try_launch();
        let stray = agent.runtime_dir.parent().unwrap().join("stray");
        assert_eq!(output.status.success(), stray.exists(), "{output:?}");
        let runs = stray.exists() && !container.processes().is_empty();
        runs && agent.containers().is_empty()
    });
}

fn refused_whole(builder: Builder, id: &str) {
    let agent = builder.build();
    let (_, output) = agent.task("touch ran").id(id).try_launch();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    agent.assert_nothing_left();
    for verb in ["wait", "usage", "destroy", "update"] {
        agent.about(verb, id).run();
    }
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

/// These reach nothing even so: the kernel takes no such path.
#[test]
fn nul_and_length_are_stopped_twice() {
    for id in ["a\0b", &"x".repeat(4096), &"x/".repeat(2048)] {
        refused_whole(Agent::builder().env("ECP_WEAKEN", "ids"), id);
        refused_whole(Agent::builder(), id);
    }
}
