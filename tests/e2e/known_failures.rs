//! The mistakes of earlier containerizer programs, one test each.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::agent::fixture::Fixture;
use crate::agent::processes::Process;
use crate::agent::{Agent, need_root, skip};

#[test]
fn the_status_is_that_of_wait_not_the_exit_code() {
    let agent = Agent::new();
    agent.task("exit 1").launch().complete().assert_status(256);
}

#[test]
fn a_signal_is_reported_as_such() {
    let agent = Agent::new();
    agent.task("kill -TERM $$").launch().complete().assert_status(15);
}

#[test]
fn wait_exits_with_0_whatever_the_task_does() {
    let agent = Agent::new();
    for script in ["exit 0", "exit 1", "exit 255", "kill -KILL $$"] {
        let output = agent.task(script).launch().spawn_wait().finish();
        assert_eq!(output.status.code(), Some(0), "{script}");
        output.termination();
    }
}

#[test]
fn the_user_is_switched_to() {
    need_root!();
    let agent = Agent::new();
    let container = agent.task("id -u; id -g; id -G; stat -c %u .").user("nobody").launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "65534\n65534\n65534\n65534\n");
    for file in ["stdout", "stderr"] {
        assert_eq!(fs::metadata(container.path(file)).unwrap().uid(), 65534, "the owner of {file}");
    }
}

/// A user, other than root, that a group names as its member.
fn member_of_a_group() -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let members = groups.lines().filter_map(|line| line.rsplit(':').next()).flat_map(|names| names.split(','));
    let mut users = members.filter(|name| !name.is_empty() && *name != "root");
    users.find(|name| matches!(nix::unistd::User::from_name(name), Ok(Some(_)))).map(str::to_owned)
}

#[test]
fn the_user_keeps_the_supplementary_groups() {
    need_root!();
    let Some(user) = member_of_a_group() else { skip!("no user here is the member of a second group") };
    let expected = Command::new("id").args(["-G", &user]).output().unwrap().stdout;
    let sorted = |ids: &str| {
        let mut ids: Vec<_> = ids.split_whitespace().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let agent = Agent::new();
    let container = agent.task("id -G").user(&user).launch();
    container.complete().assert_status(0);
    assert_eq!(sorted(&container.file("stdout")), sorted(&String::from_utf8(expected).unwrap()));
}

#[test]
fn usage_answers_before_and_after_the_life_of_a_container() {
    let agent = Agent::new();
    agent.about("usage", "nobody-knows-this-one").run().statistics().assert_bare();
    let container = agent.task("exit 0").launch();
    container.wait().assert_status(0);
    container.usage().assert_bare();
    container.note_end();
    container.usage().assert_bare();
}

#[test]
fn launch_fails_when_the_program_is_not_there() {
    let agent = Agent::new();
    let reason = agent.program("/no/such/program", &["program"]).refused();
    assert!(reason.contains("/no/such/program") && reason.contains("No such file or directory"), "{reason}");
}

#[test]
fn launch_fails_when_the_program_cannot_be_executed() {
    let agent = Agent::new();
    let plain = agent.path("plain");
    fs::write(&plain, "text").unwrap();
    let reason = agent.program(plain.to_str().unwrap(), &["plain"]).refused();
    assert!(reason.contains(plain.to_str().unwrap()) && reason.contains("Permission denied"), "{reason}");
}

#[test]
fn without_root_and_a_runtime_directory_there_is_no_fallback_to_tmp() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let task = agent.task("touch ran");
    let sandbox = task.sandbox();
    let launch = agent.invoke("launch").record(task.message().record()).sandbox(&sandbox, Some("nobody"));
    let reason = launch.only_flags(&["--config=none"]).run().refused();
    assert!(reason.contains("--runtime_dir"), "{reason}");
    assert!(!sandbox.join("ran").exists());
}

#[test]
fn without_root_the_state_is_in_the_users_own_runtime_directory() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let own = agent.runtime_dir.parent().unwrap().to_str().unwrap();
    let task = agent.task("exit 4");
    let sandbox = task.sandbox();
    let launch = agent.invoke("launch").record(task.message().record()).sandbox(&sandbox, Some("nobody"));
    launch.only_flags(&["--config=none"]).env("XDG_RUNTIME_DIR", own).run().ok();
    let container = task.message().get_message(1).unwrap().get_text(1).unwrap();
    let wait = agent.about("wait", &container).only_flags(&["--config=none"]).env("XDG_RUNTIME_DIR", own);
    wait.run().termination().assert_status(4 << 8);
    assert!(agent.runtime_dir.parent().unwrap().join("mesos-ecp").is_dir());
}

#[test]
fn the_agents_port_is_not_inherited() {
    let agent = Agent::new();
    let container = agent.task("echo \"port=${LIBPROCESS_PORT:-0}\"").launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "port=0\n");
}

#[test]
fn destroy_kills_the_tasks_own_processes_too() {
    let agent = Agent::new();
    let script = "sh -c 'echo $$ > child; sleep 1000' & setsid sh -c 'echo $$ > other; sleep 1000' & wait";
    let container = agent.task(script).launch();
    let pids = [container.pid("child"), container.pid("other")];
    let wait = container.spawn_wait();
    container.destroy();
    assert!(pids.iter().all(|pid| !Process::is_running(*pid)));
    wait.kill();
    agent.assert_nothing_left();
}

#[test]
fn the_end_of_the_executor_is_the_end_of_its_tasks() {
    let agent = Agent::new();
    let script = "setsid sh -c 'echo $$ > task; sleep 1000' & while [ ! -s task ]; do sleep 0.02; done; exit 2";
    let container = agent.task(script).launch();
    container.wait().assert_status(2 << 8);
    // Everything is cleaned up before the answer, for no destroy follows.
    assert!(!Process::is_running(container.pid("task")));
    assert!(container.processes().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_container_without_an_executor_is_refused() {
    let agent = Agent::new();
    let reason = agent.task("exit 0").edit(|launch| launch.remove(3)).refused();
    assert!(reason.contains("executor_info"), "{reason}");
}

#[test]
fn the_command_of_the_task_is_not_run_in_place_of_the_executor() {
    need_root!();
    for fixture in Fixture::all("command") {
        let agent = fixture.agent().build();
        agent.helper("mesos-executor", "echo executor");
        let container = fixture.task(&agent).launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "executor\n");
    }
}
