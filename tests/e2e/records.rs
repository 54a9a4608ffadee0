//! Records that are refused, with a reason that names what is wrong, and those that must not be.

use crate::agent::fixture::Fixture;
use crate::agent::messages::{about, scalar};
use crate::agent::wire::{Message, Value, framed};
use crate::agent::{Agent, need_root};
use crate::refusals::assert_says;

/// Launches these bytes as the record, and ends the input.
fn refused_record(record: Vec<u8>) -> String {
    let agent = Agent::new();
    let sandbox = agent.task("exit 0").sandbox();
    let call = agent.invoke("launch").record(record).sandbox(sandbox, None).end_of_input();
    let reason = call.run().refused();
    agent.assert_nothing_left();
    reason
}

#[test]
fn records_that_are_cut_off_are_refused() {
    let agent = Agent::new();
    let record = agent.task("exit 0").message().record();
    for length in [0, 3, 4, 5, record.len() / 2, record.len() - 1] {
        refused_record(record[..length].to_vec());
    }
}

#[test]
fn a_record_above_64_mib_is_refused_by_its_length() {
    for length in [(64 << 20) + 1, u32::MAX] {
        let reason = refused_record(length.to_ne_bytes().to_vec());
        assert_says(&reason, &[&length.to_string()]);
    }
}

#[test]
fn a_record_that_is_no_message_is_refused() {
    refused_record(framed(&[0xff; 40]));
    refused_record(framed(&[0x0a, 0x7f, 0]));
}

#[test]
fn a_missing_required_field_is_named_with_its_message() {
    let agent = Agent::new();
    let without = |edit: &dyn Fn(&mut Message)| agent.task("exit 0").edit(edit).refused();
    assert_says(&without(&|launch| launch.remove(1)), &["Launch", "container_id"]);
    assert_says(&without(&|launch| launch.edit(1, |id| id.remove(1))), &["Launch", "container_id.value"]);
    assert_says(&without(&|launch| launch.edit(3, |info| info.remove(1))), &["Launch", "executor_info.executor_id"]);
    assert_says(&without(&|launch| launch.edit(3, |info| info.remove(7))), &["Launch", "executor_info.command"]);
    let resource = |number| move |launch: &mut Message| launch.edit(3, |info| info.edit(5, |r| r.remove(number)));
    assert_says(&without(&resource(1)), &["Launch", "executor_info.resources", "name"]);
    assert_says(&without(&resource(2)), &["Launch", "executor_info.resources", "type"]);
}

#[test]
fn every_verb_names_what_is_missing_in_its_record() {
    let agent = Agent::new();
    let sandbox = agent.task("exit 0").sandbox();
    for (verb, message) in [("wait", "Wait"), ("usage", "Usage"), ("update", "Update"), ("destroy", "Destroy")] {
        let call = agent.invoke(verb).record(framed(&[])).sandbox(&sandbox, None);
        assert_says(&call.run().refused(), &[message, "container_id"]);
    }
}

#[test]
fn the_health_check_of_0_19_is_no_reason_to_refuse() {
    let health_check = Message::new().message(1, &Message::new().varint(1, 8080)).double(2, 15.0);
    let agent = Agent::new();
    let task = agent.task("echo shell; exit 3");
    let container = task.edit_command(|command| command.set(6, Value::Bytes(health_check.encode()))).launch();
    container.complete().assert_status(3 << 8);
    assert_eq!(container.file("stdout"), "shell\n");
}

#[test]
fn fields_and_values_of_newer_agents_are_accepted() {
    let agent = Agent::new();
    let newer = Message::new().varint(1, 1).bytes(2, "x");
    let edit = |launch: &mut Message| {
        launch.set(500, Value::Fixed32(1));
        launch.edit(3, |info| {
            info.set(501, Value::Bytes(newer.encode()));
            // DiscoveryInfo with a visibility that is not on the list, and a resource of an unknown type.
            info.set(12, Value::Bytes(Message::new().varint(1, 99).encode()));
            let mut gpus = scalar("gpus", 1.0);
            gpus.set(2, Value::Varint(77));
            info.0.push((5, Value::Bytes(gpus.encode())));
            info.edit(7, |command| command.set(502, Value::Fixed64(3)));
        });
    };
    agent.task("exit 3").edit(edit).launch().complete().assert_status(3 << 8);
}

#[test]
fn whatever_is_refused_the_record_has_been_read() {
    need_root!();
    let fixture = Fixture::find("0.28.2", "big").unwrap();
    for flag in ["--no_such_flag=1", "--isolation=no/such", "--fetch_timeout=5parsecs"] {
        let agent = Agent::new();
        // That the call took all of its record is checked with every call.
        let (_, output) = fixture.task(&agent).flag(flag).try_launch();
        assert_ne!(output.status.code(), Some(0), "{flag}");
    }
}

#[test]
fn bytes_behind_the_record_are_left_alone() {
    let agent = Agent::new();
    let record = [about("unknown").record(), vec![0xff; 100]].concat();
    agent.invoke("wait").record(record).run().termination().assert_unknown();
}
