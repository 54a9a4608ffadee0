//! The agent and the program without root.

use crate::agent::container::AWAIT_GO;
use crate::agent::processes::Process;
use crate::agent::{Agent, need_root};
use crate::cgroups::inside::run_in;

#[test]
fn a_container_lives_and_ends_without_root() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let container = agent.task(&format!("id -un; {AWAIT_GO}; exit 3")).launch();
    let wait = container.spawn_wait();
    assert_eq!(container.line("stdout"), "nobody");
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.update(&[("cpus", 1.0), ("mem", 64.0)]);
    let usage = container.usage();
    assert_eq!((usage.cpus_limit(), usage.mem_limit_bytes()), (Some(1.0), Some(64 << 20)));
    assert!(usage.mem_rss_bytes().is_some_and(|bytes| bytes > 0));
    container.go();
    wait.finish().termination().assert_status(3 << 8);
    container.note_end();
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_container_is_destroyed_without_root() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let script = "(setsid sh -c 'trap \"\" TERM; echo $$ > other; while :; do sleep 1; done' &); sleep 1000";
    let container = agent.task(script).launch();
    let other = container.pid("other");
    let wait = container.spawn_wait();
    container.destroy();
    assert!(!Process::is_running(other));
    wait.finish().termination().assert_status(9);
    agent.assert_nothing_left();
}

#[test]
fn a_supervisor_is_replaced_without_root() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let container = agent.task(&format!("echo $$ > pid; {AWAIT_GO}; exit 7")).launch();
    container.pid("pid");
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    container.go();
    let termination = wait.finish().termination();
    assert!(matches!(termination.status, None | Some(0x700)), "{termination:?}");
    agent.assert_nothing_left();
}

#[test]
fn another_user_cannot_be_had_without_root() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let reason = agent.task("touch ran").edit(|launch| launch.set_text(5, "root")).refused();
    assert!(reason.contains("root"), "{reason}");
}

#[test]
fn an_agent_without_memory_destroys_what_it_finds_without_root() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let container = agent.task("sleep 1000").launch();
    assert_eq!(agent.restart_without_memory().orphans, [container.id.as_str()]);
    agent.assert_nothing_left();
}

/// Its verbs must go on seeing its supervisors, which they may not trace.
#[test]
fn without_root_all_is_as_usual_where_others_processes_are_hidden() {
    need_root!();
    for hidden in ["invisible", "noaccess", "ptraceable"] {
        let setup = format!("mount -o remount,hidepid={hidden} /proc");
        assert!(run_in(hidden, &setup, "unprivileged::a_") >= 4, "{hidden}");
    }
}
