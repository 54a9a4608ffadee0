//! Command tasks: the agent puts its own executor before the task's command.

use std::fs;

use super::messages::{Launch, id, plain_scalar, scalar};
use super::profile::Executor;
use super::wire::Message;
use super::{Agent, Profile};

/// What the agent gives its executor beside what the task has.
const EXECUTORS_CPUS: f64 = 0.1;
const EXECUTORS_MEM: f64 = 32.0;
/// What the task has.
const CPUS: f64 = 0.5;
const MEM: f64 = 64.0;

/// The resources of executor and task as the agent sends them in an update.
pub fn together() -> [(&'static str, f64); 2] {
    [("cpus", CPUS + EXECUTORS_CPUS), ("mem", MEM + EXECUTORS_MEM)]
}

/// Those of the executor, as the agent comes to them when the task has ended.
pub fn executor_alone(profile: &Profile) -> [(&'static str, f64); 2] {
    [("cpus", profile.difference(CPUS + EXECUTORS_CPUS, CPUS)), ("mem", EXECUTORS_MEM)]
}

/// Makes a launch that of a command task in the agent's form, with a stand-in for `mesos-executor` that runs the script.
pub fn wrap(agent: &Agent, launch: &mut Launch, script: &str) {
    // The real one is told by the agent what to run.
    let tasks = agent.path("tasks");
    fs::create_dir_all(&tasks).unwrap();
    fs::write(tasks.join(&launch.container), script).unwrap();
    let mut text = "[ -z \"$1\" ] || echo \"executor $*\"\n".to_owned();
    text += &format!("exec sh {}/$MESOS_CONTAINER_ID", tasks.display());
    let executor = agent.helper("mesos-executor", &text).display().to_string();
    launch.name = "Command Executor (Task: e2e) (Command: sh -c '...')".to_owned();
    match agent.profile.executor {
        Executor::Value => {}
        Executor::Shell => launch.shell = Some(true),
        Executor::Program => {
            launch.shell = Some(false);
            let launcher_dir = format!("--launcher_dir={}", agent.libexec.display());
            launch.arguments = vec!["mesos-executor".to_owned(), launcher_dir];
        }
    }
    launch.command = executor;
    launch.resources = together().iter().map(|(name, value)| scalar(name, *value)).collect();
    launch.task = Some(task_info(agent.profile, launch, script));
}

fn task_info(profile: &Profile, launch: &Launch, script: &str) -> Message {
    let task = Message::new().bytes(1, "e2e").message(2, &id(&launch.executor)).message(3, &id(&launch.slave));
    let task = task.message(4, &plain_scalar("cpus", CPUS)).message(4, &plain_scalar("mem", MEM));
    let task = task.message(7, &Message::new().bytes(3, script));
    if profile.empty_labels { task.message(10, &Message::new()) } else { task }
}
