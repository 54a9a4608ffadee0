//! The operator sets the program's flags in the agent's environment: no task may put its own in their place, nor move its
//! container out of sight.

use std::fs;

use crate::agent::{Agent, Builder, Profile, profile};
use crate::refusals::assert_says;

/// An agent whose runtime directory is in its environment and not on the command line.
fn agent() -> Builder {
    Agent::builder().runtime_dir_by_environment()
}

/// The releases: from 0.23 on the operator's value is in the launch's environment, before that the task's.
#[derive(Clone, Copy, Debug)]
pub enum Wins {
    Operator,
    Task,
}

impl Wins {
    /// The release of this run if it is of this kind, else another.
    pub fn profile(self) -> &'static Profile {
        let of_this_kind = |profile: &&Profile| profile.overlays_task == matches!(self, Wins::Task);
        let run = Profile::of_this_run();
        if of_this_kind(&run) {
            return run;
        }
        profile::ALL.iter().rfind(of_this_kind).unwrap()
    }
}

/// A task whose value for this variable has replaced the operator's, or might have, must not run.
#[track_caller]
fn assert_refused(agent: Builder, name: &str, value: &str) {
    let agent = agent.profile(Wins::Task.profile()).build();
    let mark = agent.path("mark");
    let reason = agent.task(&format!("touch {}; exec sleep 1000", mark.display())).env(name, value).refused();
    assert_says(&reason, &[name, "command line"]);
    assert!(!mark.exists(), "refused, but the command ran: {reason}");
}

/// Where the operator's value is in force, the container runs with it.
#[track_caller]
fn assert_no_effect(agent: Builder, name: &str, value: &str) {
    let agent = agent.profile(Wins::Operator.profile()).build();
    let container = agent.task("exec sleep 1000").env(name, value).launch();
    assert_eq!(agent.containers(), [container.id.as_str()]);
    assert!(container.usage().mem_rss_bytes().is_some(), "the operator's isolators are at work");
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_task_without_such_variables_runs_as_usual() {
    let agent = agent().build();
    let container = agent.task("env > environment; sleep 1000").env("COLOUR", "green").launch();
    let state = fs::read_dir(&agent.runtime_dir).expect("the state is where the operator wants it");
    assert_eq!(state.count(), 1);
    assert!(!agent.supervisors().is_empty());
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.line("environment");
    assert!(!container.file("environment").contains("MESOS_ECP_"), "{}", container.file("environment"));
    container.usage();
    container.destroy();
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn the_operators_runtime_dir_cannot_be_replaced() {
    let other = tempfile::Builder::new().prefix("ecp-e2e-elsewhere-").tempdir_in("/tmp").unwrap();
    let elsewhere = other.path().join("run");
    assert_refused(agent(), "MESOS_ECP_RUNTIME_DIR", elsewhere.to_str().unwrap());
    assert_no_effect(agent(), "MESOS_ECP_RUNTIME_DIR", elsewhere.to_str().unwrap());
    assert!(!elsewhere.exists(), "state was made where the task wanted it");
    // With the operator's own value nobody can tell whose it is.
    let neighbour = Agent::new();
    let own = neighbour.runtime_dir.to_str().unwrap().to_owned();
    assert_refused(agent().beside(&neighbour), "MESOS_ECP_RUNTIME_DIR", &own);
}

#[test]
fn the_operators_work_dir_cannot_be_replaced() {
    let other = tempfile::Builder::new().prefix("ecp-e2e-work-").tempdir_in("/tmp").unwrap();
    let agent = || Agent::builder().env("MESOS_ECP_WORK_DIR", other.path().to_str().unwrap());
    let elsewhere = other.path().join("elsewhere");
    assert_refused(agent(), "MESOS_ECP_WORK_DIR", elsewhere.to_str().unwrap());
    assert_no_effect(agent(), "MESOS_ECP_WORK_DIR", elsewhere.to_str().unwrap());
    agent().build().task("exit 3").launch().complete().assert_status(3 << 8);
}

#[test]
fn the_operators_isolators_hold_where_the_agents_environment_wins() {
    for wish in ["posix/cpu", ""] {
        let agent = Agent::builder().env("MESOS_ECP_ISOLATION", "posix/cpu,posix/mem");
        assert_no_effect(agent, "MESOS_ECP_ISOLATION", wish);
    }
}

#[test]
fn what_is_on_the_command_line_needs_no_refusal() {
    for wins in [Wins::Operator, Wins::Task] {
        let agent = Agent::builder().flag("--isolation=posix/cpu,posix/mem").profile(wins.profile()).build();
        let elsewhere = agent.path("elsewhere");
        let task = agent.task("sleep 1000").env("MESOS_ECP_RUNTIME_DIR", elsewhere.to_str().unwrap());
        let container = task.env("MESOS_ECP_ISOLATION", "posix/cpu").launch();
        assert_eq!(agent.containers(), [container.id.as_str()]);
        assert!(container.usage().mem_rss_bytes().is_some(), "{wins:?}: the task has chosen its isolators");
        container.destroy();
        assert!(!elsewhere.exists());
        agent.assert_nothing_left();
    }
}

#[test]
fn a_sandbox_outside_of_every_work_dir_is_refused_if_the_task_names_one() {
    let agent = Agent::builder().profile(Wins::Task.profile()).build();
    let (elsewhere, odd) = (agent.path("elsewhere"), agent.path("odd-sandbox"));
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(&odd).unwrap();
    let task = || agent.task("touch ran; exec sleep 1000").directory(odd.to_str().unwrap());
    let reason = task().env("MESOS_WORK_DIRECTORY", elsewhere.to_str().unwrap()).refused();
    assert_says(&reason, &["MESOS_WORK_DIRECTORY"]);
    assert!(!odd.join("ran").exists());
    // A task that names none may have it: the agent's own variable is trusted.
    let container = task().launch();
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.destroy();
    agent.assert_nothing_left();
}
