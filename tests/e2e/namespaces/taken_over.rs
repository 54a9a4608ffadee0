//! A container in namespaces whose supervisor is killed.

use super::{agent, inside};
use crate::agent::container::AWAIT_GO;
use crate::agent::processes::Process;
use crate::agent::{Agent, Container, eventually, need_root};
use crate::recovery::assert_seven_or_unknown;

const ALL: &str = "namespaces/pid,namespaces/ipc,namespaces/uts";

fn lasting(agent: &Agent) -> Container<'_> {
    let container = agent.task(&format!("(setsid sleep 1000 &); echo > there; {AWAIT_GO}; exit 7")).launch();
    container.line("there");
    container
}

#[test]
fn wait_and_recover_go_on_as_ever() {
    need_root!();
    for recover in [false, true] {
        let agent = agent(ALL);
        let container = lasting(&agent);
        agent.kill_supervisors();
        let mut recovered = recover.then(|| agent.restart_with_memory());
        let wait = match &mut recovered {
            Some(recovered) => recovered.wait(&container),
            None => container.spawn_wait(),
        };
        eventually("a new supervisor", || !agent.supervisors().is_empty());
        assert!(container.usage().mem_rss_bytes().is_some_and(|bytes| bytes > 0));
        container.go();
        assert_seven_or_unknown(&wait.finish().termination());
        agent.assert_nothing_left();
    }
}

#[test]
fn it_can_be_destroyed() {
    need_root!();
    let agent = agent(ALL);
    let container = lasting(&agent);
    let first = inside(&container, 1);
    agent.kill_supervisors();
    container.destroy();
    assert!(!Process::is_running(first.pid));
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}
