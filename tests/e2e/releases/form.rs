//! The form of a record: which fields it has, not what is in them.

use std::collections::BTreeSet;

use crate::agent::fixture::Fixture;
use crate::agent::wire::{Message, Value};
use crate::agent::{Profile, Task};

/// Where a Launch has messages: container_id; task_info with task_id, slave_id, resources, command, container, labels;
/// executor_info with executor_id, resources, command, framework_id; slave_id.
const MESSAGES: [&str; 18] = [
    "1", "2", "2.2", "2.3", "2.4", "2.4.3", "2.7", "2.7.1", "2.7.2", "2.9", "2.10", "3", "3.1", "3.5", "3.5.3", "3.7",
    "3.8", "6",
];

/// The numbers of all fields of a Launch with those of the fields they are in.
pub fn paths(launch: &Message) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    add(launch, "", &mut found);
    found
}

fn add(message: &Message, prefix: &str, found: &mut BTreeSet<String>) {
    for (number, value) in &message.0 {
        let path = format!("{prefix}{number}");
        if let (Value::Bytes(bytes), true) = (value, MESSAGES.contains(&path.as_str())) {
            add(&Message::decode(bytes), &format!("{path}."), found);
        }
        found.insert(path);
    }
}

/// Compares a launch with a captured one: fields, those of every verb's environment, and the values of both that do not name
/// something.
#[track_caller]
pub fn assert_same(task: &Task, captured: &Fixture, profile: &Profile) {
    let name = profile.name;
    let sent = Message::of_record(&captured.record("launch", 0).unwrap());
    let (own, mut expected) = (task.message(), paths(&sent));
    // ExecutorInfo.data is what that framework added.
    expected.remove("3.4");
    assert_eq!(paths(&own), expected, "{name}");
    let command = |launch: &Message| launch.get_message(3).unwrap().get_message(7).unwrap();
    assert_eq!(command(&own).get_varint(6), command(&sent).get_varint(6), "{name}: shell");
    let count = |launch: &Message| command(launch).0.iter().filter(|(number, _)| *number == 7).count();
    assert_eq!(count(&own), count(&sent), "{name}: arguments");
    let resources = |launch: &Message| launch.get_message(3).unwrap().get_messages(5);
    assert_eq!(resources(&own), resources(&sent), "{name}: resources");
    let digits = |text: &str| -> String { text.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect() };
    let slave = |launch: &Message| digits(&launch.get_message(6).unwrap().get_text(1).unwrap());
    assert_eq!(slave(&own), slave(&sent), "{name}: the form of ids");

    let agent = task.agent();
    let mut expected = captured.environment(agent, "launch", 0);
    // That agent ran with --default_container_image.
    expected.remove("MESOS_DEFAULT_CONTAINER_IMAGE");
    let own = task.environment();
    assert_eq!(own.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
    let of_the_task = ["MESOS_DIRECTORY", "MESOS_EXECUTOR_ID", "MESOS_FRAMEWORK_ID", "MESOS_SLAVE_ID"];
    for (variable, value) in own.iter().filter(|(variable, _)| !of_the_task.contains(&variable.as_str())) {
        assert_eq!(value, &expected[variable], "{name}: {variable}");
    }
    assert_eq!(agent.environment(), captured.environment(agent, "wait", 0), "{name}: wait");
}

/// An Update but for whom it is about.
pub fn without_ids(update: &Message) -> Message {
    let mut update = update.clone();
    update.remove(1);
    update
}
