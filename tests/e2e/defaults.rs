//! What the agent was given to run with is not handed on to the containers.

use crate::agent::{Agent, need_root};

/// Best effort, the lowest of its levels, as `ioprio_set` takes it.
const IDLE_MOST: i32 = (2 << 13) | 7;

#[test]
fn a_container_is_no_likelier_to_be_killed_than_others() {
    let agent = Agent::builder().disfavoured(500, IDLE_MOST).build();
    let container = agent.task("cat /proc/self/oom_score_adj").launch();
    container.complete().assert_status(0);
    // To lower it takes CAP_SYS_RESOURCE, which not every root has.
    let adjustment = container.line("stdout");
    assert!(["0", "500"].contains(&adjustment.as_str()), "{adjustment}");
    agent.assert_nothing_left();
}

#[test]
fn an_agent_without_root_that_is_disfavoured_can_launch() {
    need_root!();
    let agent = Agent::builder().unprivileged().disfavoured(500, IDLE_MOST).build();
    let container = agent.task("cat /proc/self/oom_score_adj").launch();
    container.complete().assert_status(0);
    assert!(["0", "500"].contains(&container.line("stdout").as_str()));
    agent.assert_nothing_left();
}

#[test]
fn a_container_has_the_usual_io_priority() {
    if std::process::Command::new("ionice").arg("-V").output().is_err() {
        crate::agent::skip!("there is no ionice");
    }
    let agent = Agent::builder().disfavoured(0, IDLE_MOST).build();
    let container = agent.task("ionice").launch();
    container.complete().assert_status(0);
    let priority = container.line("stdout");
    // None of its own, or what the kernel makes of that at nice 0.
    assert!(priority.starts_with("none") || priority == "best-effort: prio 4", "{priority}");
}
