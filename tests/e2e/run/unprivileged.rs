//! `run` by somebody who is not root.

use std::fs;

use super::{Running, assert_clean, command, run, script};
use crate::agent::{Agent, need_root};

#[test]
fn a_container_runs_without_root() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let (stdout, stderr) = script(&agent, &[], "id -un; echo x > file; exit 3").with(3);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("nobody\n", ""));
    script(&agent, &["--user=nobody"], "(setsid sleep 1000 &)").with(0);
    let said = script(&agent, &["--user=root"], "echo ran").refused(125);
    assert!(said.contains("only root can change the user"), "{said}");
    assert_clean(&agent);
}

#[test]
fn sandboxes_without_root_and_work_dir_are_below_the_home() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let home = agent.work_dir.clone();
    let pwd = |variables: &[(&str, &str)]| {
        let mut call = command(&agent, &[], &["pwd"]);
        call.env_remove("MESOS_WORK_DIRECTORY").env_remove("HOME").envs(variables.iter().copied());
        Running::start(&mut call).end()
    };
    let text = home.to_str().unwrap();
    for (variable, below) in [("XDG_STATE_HOME", "mesos-ecp"), ("HOME", ".local/state/mesos-ecp")] {
        let (stdout, _) = pwd(&[(variable, text)]).with(0);
        let parent = home.join(below).join("sandboxes");
        assert!(stdout.starts_with(parent.to_str().unwrap()), "{stdout}");
        assert_eq!(fs::read_dir(parent).unwrap().count(), 0);
    }
    let said = pwd(&[("XDG_STATE_HOME", "relative")]).refused(125);
    assert!(said.contains("there is no place for the sandbox") && said.contains("--sandbox"), "{said}");
    agent.assert_nothing_left();
}

#[test]
fn without_a_place_for_the_state_it_is_said_what_to_do() {
    need_root!();
    let agent = Agent::builder().unprivileged().runtime_dir_by_environment().build();
    let mut call = command(&agent, &[], &["true"]);
    let said = Running::start(call.env_remove("MESOS_ECP_RUNTIME_DIR")).end().refused(125);
    assert!(said.contains("--runtime_dir=PATH"), "{said}");
    run(&agent, &[], &["true"]).with(0);
}
