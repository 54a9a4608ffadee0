//! Supervisors that are killed.

use super::{address, assert_unallocated, enforcing, listen};
use crate::agent::container::AWAIT_GO;

#[test]
fn who_takes_over_goes_by_the_rules_of_the_launch() {
    let agent = enforcing().flag("--container_ports_isolated_range=[21001-21001]").build();
    let script = format!("{AWAIT_GO}; {} sleep 1000", listen(&address(), &[21000, 21001]));
    let container = agent.task(&script).launch();
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    container.go();
    assert_unallocated(&container, &wait.finish().termination(), "[21001-21001]");
    agent.assert_nothing_left();
}
