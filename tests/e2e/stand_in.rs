//! The stand-in itself: its encoding is the agents' own, and what it does before a call is no race with the task.

use std::path::Path;

use crate::agent::Agent;
use crate::agent::fixture;
use crate::agent::messages::{Launch, Termination, id, uri};
use crate::agent::wire::{Message, Value, framed};

fn records(below: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(below).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            records(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "recordio") {
            found.push(path);
        }
    }
}

#[test]
fn every_captured_record_is_encoded_again_as_it_was() {
    let mut paths = Vec::new();
    records(&fixture::directory(), &mut paths);
    assert!(paths.len() > 50, "few fixtures: {}", paths.len());
    for path in paths {
        let record = std::fs::read(&path).unwrap();
        let mut message = Message::of_record(&record);
        // Going down into the messages that are patched must change nothing either.
        message.edit(3, |executor| executor.edit(7, |command| command.replace(3, "no such text", "")));
        assert!(message.record() == record, "{} changed", path.display());
    }
}

#[test]
fn a_launch_built_here_has_the_shape_of_a_captured_one() {
    let launch = Launch {
        container: "c".into(),
        executor: "e".into(),
        framework: "f".into(),
        slave: "s".into(),
        directory: "/d".into(),
        user: Some("u".into()),
        checkpoint: true,
        command: "exit 1".into(),
        arguments: None,
        environment: vec![("NAME".into(), "value".into())],
        uris: vec![uri("/a")],
        resources: Vec::new(),
        container_info: None,
        task: None,
    };
    let message = Message::decode(&launch.message().encode());
    let command = message.get_message(3).unwrap().get_message(7).unwrap();
    assert_eq!(message.get_message(1), Some(id("c")));
    assert_eq!(command.get_text(3).as_deref(), Some("exit 1"));
    assert_eq!(command.get_varint(6), Some(1));
    let variable = command.get_message(2).unwrap().get_message(1).unwrap();
    assert_eq!(variable, Message::new().bytes(1, "NAME").bytes(2, "value"));
    assert_eq!((message.get_text(4).as_deref(), message.get_varint(8)), (Some("/d"), Some(1)));
}

#[test]
fn all_kinds_of_values_are_read_back() {
    let message = Message::new()
        .varint(1, u64::MAX)
        .varint(15, 300)
        .double(16, 0.6)
        .bytes(2047, [0, 255])
        .with(2048, Value::Fixed32(7))
        .message(3, &Message::new());
    assert_eq!(Message::decode(&message.encode()), message);
    assert_eq!(Message::of_record(&framed(&message.encode())), message);
}

#[test]
fn a_negative_status_is_read_with_its_sign() {
    let message = Message::new().bool(1, false).bytes(2, "m").varint(3, -1_i64 as u64).varint(5, 8).varint(5, 19);
    let termination = Termination::of(&message);
    assert_eq!((termination.status, termination.reasons), (Some(-1), vec![8, 19]));
}

#[test]
fn a_task_may_rename_and_remove_its_files_while_the_agent_changes_their_owner() {
    let agent = Agent::new();
    let busy = "while :; do for n in 1 2 3 4 5 6 7 8; do : > $n; done; mv 1 a; mkdir d; : > d/b; rm -r [1-8] a d; done";
    let container = agent.task(&format!("{busy} 2> /dev/null")).launch();
    for _ in 0..100 {
        container.usage();
    }
    container.destroy();
}

#[test]
fn a_sandbox_whose_owner_cannot_be_changed_fails_the_call() {
    let agent = Agent::new();
    let task = agent.task("exit 0").user("no-such-user-anywhere");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(task.spawn())));
    let message = panicked.expect_err("the stand-in went on");
    let message = message.downcast_ref::<String>().expect("a message");
    assert!(message.contains("the agent's chown failed"), "{message}");
}
