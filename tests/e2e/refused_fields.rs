//! Fields of a launch record that ask for more than the program does, and some that it only warns about.

use crate::agent::messages::{id, scalar};
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Output, Profile, Task};
use crate::refusals::assert_says;

/// Launches a command that would leave a mark, with the record changed, which must be refused.
#[track_caller]
fn refused(edit: impl Fn(&mut Message)) -> String {
    let agent = Agent::new();
    let mark = agent.path("mark");
    let reason = agent.task(&format!("touch {}", mark.display())).edit(edit).refused();
    assert!(!mark.exists(), "refused, but the command ran: {reason}");
    reason
}

/// Launches it with the record changed; it must run, and what the launch said is given back.
#[track_caller]
fn runs(task: Task<'_>) -> Output {
    let (container, output) = task.launch_with_output();
    container.complete().assert_status(4 << 8);
    output
}

fn warnings(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| line.starts_with("mesos-ecp: launch: warning: ")).collect()
}

fn set(message: &mut Message, number: u32, value: &Message) {
    message.set(number, Value::Bytes(value.encode()));
}

/// A `TaskInfo` with this field beside the required ones.
fn task_info(number: u32, value: &Message) -> Message {
    let required =
        Message::new().bytes(1, "e2e").message(2, &id("e2e")).message(3, &id(&Profile::of_this_run().slave()));
    required.message(4, &scalar("cpus", 0.5)).message(number, value)
}

/// The `CommandInfo.container` of agents up to 0.26.
fn image_of_command() -> Message {
    Message::new().bytes(1, "docker:///busybox")
}

#[test]
fn an_image_of_the_executors_command_is_refused() {
    let edit = |launch: &mut Message| {
        launch.edit(3, |executor| executor.edit(7, |command| set(command, 4, &image_of_command())));
    };
    assert_says(&refused(edit), &["executor_info.command", "docker:///busybox"]);
}

#[test]
fn an_image_of_the_tasks_command_is_refused() {
    let command = Message::new().bytes(3, "exit 0").message(4, &image_of_command());
    let task = task_info(7, &command);
    assert_says(&refused(|launch| set(launch, 2, &task)), &["task_info.command", "docker:///busybox"]);
}

#[test]
fn plain_disk_is_no_volume() {
    let agent = Agent::new();
    runs(agent.task("exit 4").resources(vec![scalar("cpus", 0.5), scalar("disk", 16.0)]));
}

#[test]
fn a_container_of_an_unknown_type_is_refused() {
    let unknown = Message::new().varint(1, 9);
    assert_says(&refused(|launch| launch.edit(3, |executor| set(executor, 11, &unknown))), &["type 9"]);
    let task = task_info(9, &unknown);
    assert_says(&refused(|launch| set(launch, 2, &task)), &["type 9", "task_info"]);
}

#[test]
fn a_hostname_alone_is_warned_about() {
    let agent = Agent::new();
    let named = Message::new().varint(1, 2).bytes(4, "elsewhere");
    let output = runs(agent.task("exit 4").edit(|launch| launch.edit(3, |executor| set(executor, 11, &named))));
    let said = warnings(&output);
    assert!(said.len() == 1 && said[0].contains("hostname"), "{said:?}");
}

#[test]
fn a_default_image_is_warned_about_once() {
    let agent = Agent::builder().env("MESOS_DEFAULT_CONTAINER_IMAGE", "docker:///busybox").build();
    let output = runs(agent.task("exit 4"));
    let said = warnings(&output);
    assert!(said.len() == 1 && said[0].contains("MESOS_DEFAULT_CONTAINER_IMAGE"), "{said:?}");
    assert_eq!(output.stderr.matches("MESOS_DEFAULT_CONTAINER_IMAGE").count(), 1, "{}", output.stderr);
}

#[test]
fn an_empty_user_is_refused() {
    assert_says(&refused(|launch| launch.set_text(5, "")), &["user is empty"]);
}
