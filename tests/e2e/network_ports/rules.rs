//! What may be listened on, and what becomes of who listens on something else.

use super::{address, agent, assert_unallocated, change, enforcing, listen, log, looks, resources, state};
use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, eventually, need_root};
use crate::refusals::assert_says;

#[test]
fn who_listens_where_it_may_not_is_ended() {
    let launchers = if nix::unistd::Uid::effective().is_root() { &["posix", "linux"][..] } else { &["posix"] };
    for launcher in launchers {
        let agent = enforcing().flag(&format!("--launcher={launcher}")).build();
        let script = format!("{} sleep 1000", listen(&address(), &[21001]));
        let container = agent.task(&script).launch();
        let end = container.complete();
        assert_unallocated(&container, &end, "[21001-21001]");
        assert_eq!(end.status, Some(9), "{launcher}");
        agent.assert_nothing_left();
    }
}

#[test]
fn without_root_too() {
    need_root!();
    let agent = enforcing().unprivileged().build();
    let container = agent.task(&format!("{} sleep 1000", listen(&address(), &[21001]))).launch();
    assert_unallocated(&container, &container.complete(), "[21001-21001]");
    agent.assert_nothing_left();
}

#[test]
fn its_own_ports_are_its_own_and_others_sockets_are_not() {
    let agent = enforcing().build();
    let ours = std::net::TcpListener::bind((address(), 21009)).unwrap();
    let address = address();
    let script =
        format!("{} {AWAIT_GO}; {} sleep 1000", listen(&address, &[21001, 21002]), listen(&address, &[21004, 21006]));
    let container = agent.task(&script).resources(resources(&[(21001, 21003), (21006, 21006)])).launch();
    eventually("it listens", || container.path("listening.21002").exists());
    looks();
    assert_eq!(log(&agent, &container), "");
    let wait = container.spawn_wait();
    container.go();
    assert_unallocated(&container, &wait.finish().termination(), "[21004-21004]");
    drop(ours);
}

#[test]
fn without_enforcement_the_log_says_it_once() {
    let agent = agent().build();
    let address = address();
    let script = format!("{} {AWAIT_GO}; {} sleep 1000", listen(&address, &[21001]), listen(&address, &[21003]));
    let container = agent.task(&script).launch();
    let line = |ports: &str| {
        let id = &container.id;
        format!("isolator network/ports: Container {id} is listening on unallocated port(s): {ports}\n")
    };
    eventually("the log says so", || log(&agent, &container) == line("[21001-21001]"));
    looks();
    assert_eq!(log(&agent, &container), line("[21001-21001]"));
    container.go();
    let both = line("[21001-21001]") + &line("[21003-21003]");
    eventually("the log says more", || log(&agent, &container) == both);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn updates_give_and_take_ports() {
    let agent = enforcing().build();
    let script = format!("{AWAIT_GO}; {} sleep 1000", listen(&address(), &[21001]));
    let container = agent.task(&script).launch();
    change(&container, &resources(&[(21000, 21010)]));
    container.go();
    eventually("it listens", || container.path("listening.21001").exists());
    looks();
    assert_eq!(log(&agent, &container), "");
    let wait = container.spawn_wait();
    // None are left.
    change(&container, &resources(&[])[..2]);
    assert_unallocated(&container, &wait.finish().termination(), "[21001-21001]");
}

#[test]
fn ports_that_are_not_guarded_are_free_to_all() {
    for flags in [
        &["--container_ports_isolated_range=[21001-21002]"][..],
        &["--check_agent_port_range_only", "--agent_ports=[21001-21002]"],
    ] {
        let agent = flags.iter().fold(enforcing(), |agent, flag| agent.flag(flag)).build();
        let address = address();
        let script =
            format!("{} {AWAIT_GO}; {} sleep 1000", listen(&address, &[21000, 21003]), listen(&address, &[21002]));
        let container = agent.task(&script).launch();
        eventually("it listens", || container.path("listening.21003").exists());
        looks();
        assert_eq!(log(&agent, &container), "");
        let wait = container.spawn_wait();
        container.go();
        assert_unallocated(&container, &wait.finish().termination(), "[21002-21002]");
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let agent = agent().flag("--check_agent_port_range_only").flag("--container_ports_isolated_range=[1-2]").build();
    let reason = agent.task("touch ran").refused();
    assert_says(&reason, &["network/ports", "--check_agent_port_range_only", "--container_ports_isolated_range"]);
}

#[test]
fn nobody_is_looked_at_before_an_interval_has_passed() {
    let agent = Agent::builder().flag("--isolation=network/ports").flag("--enforce_container_ports").build();
    let container = agent.task(&format!("{} sleep 1000", listen(&address(), &[21001]))).launch();
    eventually("it listens", || container.path("listening.21001").exists());
    looks();
    assert!(!container.processes().is_empty(), "30 seconds are the default");
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn who_has_ports_that_cannot_be_read_is_not_ended_for_them() {
    let agent = enforcing().build();
    let container = agent
        .task(&format!("{} sleep 1000", listen(&address(), &[21001])))
        .resources(resources(&[(21001, 21001)]))
        .launch();
    eventually("it listens", || container.path("listening.21001").exists());
    let file = state(&agent, &container).unwrap().join("resources");
    std::fs::write(&file, [0xff, 0xff]).unwrap();
    eventually("the log says so", || log(&agent, &container).contains("the resources in force are not known"));
    looks();
    assert!(!container.processes().is_empty(), "{}", log(&agent, &container));
    assert_eq!(log(&agent, &container).lines().count(), 1, "{}", log(&agent, &container));
    // Without the file those of the launch count; and an update mends a damaged one.
    std::fs::remove_file(&file).unwrap();
    looks();
    std::fs::write(&file, [0xff, 0xff]).unwrap();
    let wait = container.spawn_wait();
    change(&container, &resources(&[(21002, 21002)]));
    assert_unallocated(&container, &wait.finish().termination(), "[21001-21001]");
    agent.assert_nothing_left();
}
