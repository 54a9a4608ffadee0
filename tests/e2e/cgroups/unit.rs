//! An agent in a systemd unit: a restart of the unit kills what is in its cgroups, so nothing that lasts may be there.

use nix::sys::signal::Signal;

use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, cgroups, eventually, need_root};

/// Who looks after the containers, and the containers themselves.
#[track_caller]
fn assert_outside(agent: &Agent) {
    let inside = agent.unit.as_ref().unwrap().pids();
    let last: Vec<Process> = agent.processes();
    assert!(!last.is_empty());
    for process in last {
        assert!(!inside.contains(&process.pid), "{} is in the agent's unit", process.command_line());
    }
}

fn agent(flag: &str) -> Agent {
    Agent::builder().unit("agent.service").flag(flag).build()
}

#[test]
fn supervisor_and_container_leave_the_agents_unit() {
    need_root!();
    for launcher in ["--launcher=linux", "--launcher=posix"] {
        let agent = agent(launcher);
        let container = agent.task("sleep 1000 & sleep 1000").launch();
        assert_outside(&agent);
        let supervisor = agent.supervisors()[0].pid;
        if cgroups::is_v1("name=systemd") {
            assert!(cgroups::of_process(supervisor, "name=systemd").ends_with(".slice"));
        }
        if cgroups::unified().is_some() {
            assert_eq!(cgroups::of_process(supervisor, ""), format!("/{}/supervisors", agent.cgroups_root));
        }
        // What a restart of the unit does.
        agent.unit.as_ref().unwrap().pids().iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
        assert_eq!(agent.containers(), [container.id.as_str()]);
        container.destroy();
    }
}

#[test]
fn who_takes_over_leaves_it_too() {
    need_root!();
    let agent = agent("--launcher=linux");
    let container = agent.task("sleep 1000").launch();
    for verb in ["wait", "recover"] {
        agent.kill_supervisors();
        let wait = (verb == "wait").then(|| container.spawn_wait());
        if verb == "recover" {
            agent.invoke("recover").run().ok();
        }
        eventually("somebody takes over", || !agent.supervisors().is_empty());
        if let Some(wait) = wait {
            wait.kill();
        }
        eventually("the call is gone", || agent.unit.as_ref().unwrap().pids().is_empty());
        assert_outside(&agent);
    }
    container.destroy();
}

#[test]
fn who_wants_to_stay_stays() {
    need_root!();
    let agent = Agent::builder().unit("agent.service").stay_in_unit().flag("--launcher=posix").build();
    let container = agent.task("sleep 1000").launch();
    assert!(!agent.unit.as_ref().unwrap().pids().is_empty());
    container.destroy();
}
