//! The stand-in itself: its encoding is the agents' own, and what it does before a call is no race with the task.

use std::path::Path;

use crate::agent::fixture;
use crate::agent::messages::{Launch, Termination, id, uri};
use crate::agent::profile::Endings;
use crate::agent::wire::{Message, Value, framed};
use crate::agent::{Agent, Profile, eventually};

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
        name: "n".into(),
        source: "s".into(),
        command: "exit 1".into(),
        shell: Some(true),
        arguments: Vec::new(),
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
    let termination = Termination::of(&message, Endings::Reasons);
    assert_eq!((termination.status, termination.reasons), (Some(-1), vec![8, 19]));
}

#[test]
fn a_termination_is_read_as_its_release_does() {
    let old = |message: &Message| Termination::reported(message, Endings::Killed);
    let new = |message: &Message| Termination::reported(message, Endings::Reasons);
    let full = Message::new().bool(1, true).bytes(2, "m").varint(3, 9).varint(4, 3).varint(5, 20);
    assert_eq!((old(&full), new(&full)), (Ok(Some(8)), Ok(Some(20))));
    let plain = Message::new().bool(1, false).bytes(2, "m").varint(3, 256);
    assert_eq!((old(&plain), new(&plain)), (Ok(None), Ok(None)));
    // What a program for the newer ones alone would say.
    let newer = Message::new().bytes(2, "m").varint(3, 9);
    assert_eq!((old(&newer), new(&newer)), (Err("killed is missing"), Ok(None)));
    // And one for the older ones: a limit that the newer ones do not see.
    let older = Message::new().bool(1, true).bytes(2, "m").varint(3, 9);
    assert_eq!((old(&older), new(&older)), (Ok(Some(8)), Ok(None)));
    for endings in [Endings::Killed, Endings::Reasons] {
        let fails = std::panic::catch_unwind(|| Termination::of(&older, endings));
        assert!(fails.is_err(), "other releases were forgotten");
    }
    Termination::of(&full, Endings::Killed).assert_limit(20);
    Termination::of(&full, Endings::Reasons).assert_limit(20);
    assert!(new(&full.clone().varint(4, 2)).is_err(), "a failure would be passed off as a success");
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

/// That it is asked for every second whatever the test does helps only if it is noticed that there was no answer.
#[test]
fn a_question_for_usage_that_is_not_answered_fails_the_test() {
    let directory = tempfile::Builder::new().prefix("ecp-e2e-mute-").tempdir_in("/tmp").unwrap();
    let (mute, mark) = (directory.path().join("mute"), directory.path().join("mark"));
    let script =
        format!("for last; do :; done\n[ $last != usage ] || {{ touch {}; exit 1; }}\nexec \"$@\"", mark.display());
    std::fs::write(&mute, script).unwrap();
    let fails = std::panic::catch_unwind(|| {
        let agent = Agent::builder().profile(Profile::named("0.22")).through(&format!("sh {}", mute.display())).build();
        let container = agent.task("sleep 1000").launch();
        eventually("it was asked for", || mark.exists());
        container.destroy();
        agent.assert_nothing_left();
    });
    let message = fails.expect_err("it was not noticed");
    let message = message.downcast_ref::<String>().expect("a message");
    assert!(message.contains("questions for usage"), "{message}");
}
