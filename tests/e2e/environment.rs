//! What a container finds in its environment, and what it must not find there.

use std::collections::BTreeMap;
use std::fs;

use crate::agent::messages::uri;
use crate::agent::{Agent, Container, Profile, SLAVE_PID};

/// What a task runs to show its environment.
const SHOW: &str = "env > environment";

fn environment_of(container: &Container) -> BTreeMap<String, String> {
    container.complete().assert_status(0);
    let text = container.file("environment");
    let variables = text.lines().filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn assert_has(environment: &BTreeMap<String, String>, name: &str, value: &str) {
    assert_eq!(environment.get(name).map(String::as_str), Some(value), "{name} in {environment:?}");
}

#[test]
fn the_agents_own_settings_stay_outside() {
    let leaking = [
        ("LIBPROCESS_ADVERTISE_PORT", "5051"),
        ("LIBPROCESS_ADVERTISE_IP", "192.0.2.1"),
        ("LIBPROCESS_NUM_WORKER_THREADS", "64"),
        ("MESOS_ECP_QUIET", "true"),
        ("MESOS_MASTER", "zk://localhost/mesos"),
        ("MESOS_LOG_DIR", "/var/log/mesos"),
        ("MESOS_ISOLATION", "external"),
        ("MESOS_CONTAINERIZER_PATH", "/usr/bin/mesos-ecp"),
        ("MESOS_RESOURCES", "cpus:4"),
    ];
    let agent = leaking.iter().fold(Agent::builder(), |agent, (name, value)| agent.env(name, value)).build();
    let environment = environment_of(&agent.task(SHOW).launch());
    for (name, _) in leaking {
        assert!(!environment.contains_key(name), "{name} has leaked: {environment:?}");
    }
    assert!(environment.get("LIBPROCESS_PORT").is_none_or(|port| port == "0"), "{environment:?}");
}

#[test]
fn what_executors_need_is_kept() {
    let kept = [
        ("MESOS_NATIVE_LIBRARY", "/usr/local/lib/libmesos.so"),
        ("MESOS_NATIVE_JAVA_LIBRARY", "/usr/local/lib/libmesos.so"),
        ("HADOOP_HOME", "/opt/hadoop"),
        ("MESOS_HTTP_COMMAND_EXECUTOR", "0"),
        ("MESOS_DEFAULT_CONTAINER_IMAGE", "docker:///busybox"),
        ("SOMETHING_ELSE", "as it was"),
    ];
    let agent = kept.iter().fold(Agent::builder(), |agent, (name, value)| agent.env(name, value)).build();
    let environment = environment_of(&agent.task(SHOW).launch());
    // Up to 0.22 what the agent makes for the launch counts, from 0.23 on what it has itself.
    let made: BTreeMap<_, _> = agent.profile.launch_variables(true).into_iter().collect();
    let wins = agent.profile.own_environment_wins;
    for (name, value) in kept {
        assert_has(&environment, name, made.get(name).filter(|_| !wins).map_or(value, String::as_str));
    }
    for (name, value) in made.iter().filter(|(name, _)| !kept.iter().any(|(kept, _)| kept == name)) {
        if name == "LIBPROCESS_PORT" {
            continue;
        }
        assert_has(&environment, name, value);
    }
    assert_has(&environment, "LIBPROCESS_IP", "127.0.0.1");
    assert_has(&environment, "MESOS_RECOVERY_TIMEOUT", "15mins");
    assert_has(&environment, "MESOS_CHECKPOINT", "1");
    assert_has(&environment, "MESOS_SLAVE_PID", SLAVE_PID);
    for name in ["MESOS_AGENT_ENDPOINT", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_SUBSCRIPTION_BACKOFF_MAX"] {
        assert_eq!(environment.contains_key(name), made.contains_key(name), "{name}: {environment:?}");
    }
    assert_has(&environment, "MESOS_LIBEXEC_DIRECTORY", agent.libexec.to_str().unwrap());
}

#[test]
fn sandbox_and_container_id_are_added() {
    let agent = Agent::new();
    let container = agent.task(&format!("{SHOW}; pwd > cwd")).launch();
    let environment = environment_of(&container);
    let sandbox = container.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    assert_has(&environment, "MESOS_SANDBOX", &sandbox);
    assert_has(&environment, "MESOS_DIRECTORY", &sandbox);
    assert_has(&environment, "MESOS_CONTAINER_ID", &container.id);
    assert_eq!(container.file("cwd").trim(), sandbox);
}

#[test]
fn the_commands_own_environment_wins() {
    let agent = Agent::builder().env("COLOUR", "the agent's").build();
    let own = [
        ("COLOUR", "the task's"),
        ("MESOS_SANDBOX", "/mnt/elsewhere"),
        ("LIBPROCESS_PORT", "31000"),
        ("MESOS_MASTER", "the framework's own"),
        ("EMPTY", ""),
        ("WITH_EQUALS", "a=b"),
    ];
    let task = own.iter().fold(agent.task(SHOW), |task, (name, value)| task.env(name, value));
    let environment = environment_of(&task.launch());
    for (name, value) in own {
        assert_has(&environment, name, value);
    }
}

#[test]
fn of_a_name_that_stands_twice_the_last_value_counts() {
    let agent = Agent::new();
    let environment = environment_of(&agent.task(SHOW).env("TWICE", "first").env("TWICE", "last").launch());
    assert_has(&environment, "TWICE", "last");
}

/// An agent of those that lay a task's environment over that of the launch: its value has replaced the agent's. They ask for
/// usage of themselves, too.
fn overlaying() -> Agent {
    let run = Profile::of_this_run();
    Agent::builder().profile(if run.overlays_task { run } else { Profile::named("0.22") }).build()
}

#[test]
fn a_framework_cannot_configure_the_program() {
    let agent = overlaying();
    let task = agent.task("exit 5").env("MESOS_ECP_ISOLATION", "no/such/isolator");
    let task = task.env("MESOS_ECP_RUNTIME_DIR", "/nonexistent");
    let (container, output) = task.launch_with_output();
    for name in ["MESOS_ECP_ISOLATION", "MESOS_ECP_RUNTIME_DIR"] {
        let warned = |line: &str| line.starts_with("mesos-ecp: launch: warning: ") && line.contains(name);
        assert!(output.stderr.lines().any(warned), "no warning about {name}: {}", output.stderr);
    }
    container.complete().assert_status(5 << 8);
    // The operator may have set that one by the environment, and then the default is not where the other verbs look.
    let reason = agent.task("exit 5").env("MESOS_ECP_WORK_DIR", "/nonexistent").refused();
    assert!(reason.contains("MESOS_ECP_WORK_DIR") && reason.contains("on the command line"), "{reason}");
}

#[test]
fn the_operator_can_configure_the_program_by_its_environment() {
    let agent = Agent::builder().env("MESOS_ECP_ISOLATION", "no/such/isolator").build();
    let reason = agent.task("exit 0").refused();
    assert!(reason.contains("no/such/isolator"), "{reason}");
}

#[test]
fn facts_from_the_record_beat_those_of_the_environment() {
    let agent = Agent::new();
    let lies = ["DIRECTORY", "EXECUTOR_ID", "FRAMEWORK_ID", "SLAVE_ID"].map(|name| format!("MESOS_{name}"));
    let task = lies.iter().fold(agent.task(SHOW), |task, name| task.agent_env(name, "/a/lie"));
    let environment = environment_of(&task.launch());
    for name in &lies {
        assert_ne!(environment.get(name).map(String::as_str), Some("/a/lie"), "{name}");
    }
    assert_has(&environment, "MESOS_SLAVE_ID", &agent.profile.slave());
    assert_has(&environment, "MESOS_EXECUTOR_ID", "e2e");
}

#[test]
fn a_framework_cannot_move_its_container_out_of_the_agents_sight() {
    let agent = overlaying();
    let elsewhere = agent.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let task = agent.task("sleep 1000").env("MESOS_WORK_DIRECTORY", elsewhere.to_str().unwrap());
    let container = task.launch();
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_framework_cannot_slip_in_programs_by_its_path() {
    let agent = overlaying();
    let mark = agent.path("mark");
    for name in ["sh", "tar", "gzip", "unzip", "curl", "wget", "cp", "chown", "chmod", "id", "hadoop"] {
        agent.helper(name, &format!("echo $0 >> {}", mark.display()));
    }
    fs::write(agent.path("plain.txt"), "text\n").unwrap();
    let task = agent.program("/bin/cat", &["cat", "plain.txt"]).uri(uri(agent.path("plain.txt").to_str().unwrap()));
    let container = task.env("PATH", agent.libexec.to_str().unwrap()).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "text\n");
    assert!(!mark.exists(), "started by the framework's PATH: {}", fs::read_to_string(&mark).unwrap());
}

#[test]
fn a_task_without_any_variable_has_the_usual_path() {
    let agent = Agent::new();
    let environment = environment_of(&agent.task(SHOW).launch());
    assert_has(&environment, "PATH", crate::agent::PATH);
}
