//! A container that writes to the program's state.

use super::prevented;
use crate::agent::need_root;

#[test]
fn another_users_container_does_not_make_the_agent_forget_one() {
    need_root!();
    prevented("state", |builder| {
        let agent = builder.build();
        let victim = agent.task("exec sleep 1000").launch();
        let script = format!("cd {}/*/*/live && mv {} .hidden", agent.runtime_dir.display(), victim.id);
        let attacker = agent.task(&script).user("nobody").launch();
        attacker.complete();
        !agent.containers().contains(&victim.id)
    });
}

/// The mark by which a supervisor knows that it is to end its container.
#[test]
fn another_users_container_does_not_forge_an_end() {
    need_root!();
    prevented("state", |builder| {
        let agent = builder.build();
        let victim = agent.task("exec sleep 1000").launch();
        // A record of an end in place of the live container: `wait` would answer from it.
        let script = format!(
            "cd {}/*/*/ && mv live/{id} live/.hidden && mkdir -p ended/{id} && printf '' > ended/{id}/termination",
            agent.runtime_dir.display(),
            id = victim.id
        );
        let attacker = agent.task(&script).user("nobody").launch();
        attacker.complete().status == Some(0)
    });
}
