//! Bytes that no agent sends, and real records with something taken out.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::error::Error as _;

use proptest::prelude::*;
use prost::Message as _;

use super::super::mesos::containerizer::{Containers, Launch, Termination, Update, Usage};
use super::super::mesos::{CommandInfo, ExecutorInfo, HealthCheck, Resource, TaskInfo};
use super::super::schema::FieldEntry;
use super::super::{fixtures, state};
use super::*;

mod tolerance;

/// A field delimited by a length; the number below 16.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encode_length_delimiter(value.len(), &mut bytes).unwrap();
    [bytes, value.to_vec()].concat()
}

fn id() -> Vec<u8> {
    field(1, &field(1, b"c"))
}

fn error<M: prost::Message + Default + Described>(bytes: &[u8]) -> String {
    decode::<M>(bytes).err().unwrap().to_string()
}

fn launch() -> Launch {
    let command = CommandInfo { value: Some("true".into()), ..Default::default() };
    let check = HealthCheck { command: Some(command.clone()), ..Default::default() };
    let task = TaskInfo { command: Some(command.clone()), health_check: Some(check), ..Default::default() };
    let executor = ExecutorInfo { command, ..Default::default() };
    Launch { task_info: Some(task), executor_info: Some(executor), user: Some("u".into()), ..Default::default() }
}

#[test]
fn a_missing_field_is_named_with_its_path() {
    assert_eq!(error::<Launch>(b""), "mesos.containerizer.Launch: required field container_id is missing");
    assert_eq!(
        error::<Launch>(&field(1, b"")),
        "mesos.containerizer.Launch: required field container_id.value is missing"
    );
    let executor = field(3, &field(1, &field(1, b"e")));
    assert_eq!(
        error::<Launch>(&[id(), executor].concat()),
        "mesos.containerizer.Launch: required field executor_info.command is missing"
    );
    let good = Resource { name: "cpus".into(), ..Default::default() }.encode_to_vec();
    let bad = field(1, b"mem");
    assert_eq!(
        error::<Update>(&[id(), field(2, &good), field(2, &bad)].concat()),
        "mesos.containerizer.Update: required field resources[1].type is missing"
    );
    let ended = state::Ended { version: 1, ..Default::default() }.encode_to_vec();
    assert!(decode::<state::Ended>(&ended).is_ok());
    assert_eq!(error::<state::Ended>(b"\x08\x01"), "mesos_ecp.state.Ended: required field termination is missing");
    assert_eq!(error::<Termination>(b""), "mesos.containerizer.Termination: required field killed is missing");
    assert_eq!(decode::<Containers>(b"").unwrap(), Containers::default());
}

/// Fields of `message` within `bytes` as `(path, range of tag and value)`, those of nested messages included.
fn required(message: usize, bytes: &[u8], part: Range<usize>, path: &str, into: &mut Vec<(String, Vec<u8>)>) {
    let entry = &MESSAGES[message];
    let mut fields = Vec::new();
    let mut cursor = Cursor::new(bytes, part.clone());
    while let Some(found) = cursor.next_field().unwrap() {
        fields.push(found);
    }
    let mut counts = std::collections::HashMap::new();
    for found in &fields {
        let Some(known) = entry.fields.iter().find(|known| known.number == found.number) else {
            continue;
        };
        let count = counts.entry(found.number).or_insert(0);
        let at = if known.label == Label::Repeated { format!("[{count}]") } else { String::new() };
        *count += 1;
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}{at}", known.name);
        if known.label == Label::Required {
            // The same number of bytes, but of a field that no message has: lengths around it stay right.
            let mut without = bytes.to_vec();
            without[found.at] = 15 << 3 | without[found.at] & 7;
            into.push((path.clone(), without));
        }
        if let Some(nested) = known.message {
            required(nested, bytes, found.value.clone(), &path, into);
        }
    }
}

#[test]
fn each_required_field_of_a_real_record_is_missed() {
    for name in ["0.22.2/docker", "0.22.2/uris", "0.28.2/mesos-volumes", "0.28.2/network-info", "1.0.4/ports-disk"] {
        let bytes = fixtures::named(&format!("agent-{name}/launch-0.recordio"));
        let mut cases = Vec::new();
        required(Launch::INDEX.0, &bytes, 0..bytes.len(), "", &mut cases);
        assert!(cases.len() > 20, "only {} required fields in {name}", cases.len());
        for (path, without) in cases {
            let wanted = format!("mesos.containerizer.Launch: required field {path} is missing");
            assert_eq!(error::<Launch>(&without), wanted);
        }
    }
}

#[test]
fn a_message_in_parts_is_complete_as_a_whole() {
    let name_only = field(2, &field(1, b"task"));
    let rest = field(2, &[field(2, &field(1, b"t")), field(3, &field(1, b"s"))].concat());
    let launch: Launch = decode(&[id(), name_only.clone(), rest].concat()).unwrap();
    assert_eq!(launch.task_info.unwrap().name, "task");
    assert_eq!(
        error::<Launch>(&[id(), name_only].concat()),
        "mesos.containerizer.Launch: required field task_info.task_id is missing"
    );
}

#[test]
fn malformed_bytes_are_located() {
    assert_eq!(
        error::<Usage>(&[id(), vec![0x0e]].concat()),
        "mesos.containerizer.Usage: there is no such wire type, at byte 5"
    );
    let resource = field(2, &[field(1, b"cpus"), vec![0x1a, 9, 0x09]].concat());
    assert_eq!(
        error::<Update>(&[id(), resource].concat()),
        "mesos.containerizer.Update: a value is longer than what is left, at byte 14 (within resources[0])"
    );
}

#[test]
fn another_type_is_refused_with_the_cause() {
    for bytes in [&b"\x08\x01"[..], &field(1, &field(1, b"\xff"))] {
        let error = decode::<Usage>(bytes).unwrap_err();
        assert_eq!(error.to_string(), "mesos.containerizer.Usage: not a message of this type");
        assert!(error.source().unwrap().to_string().contains("container_id"), "{error:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    static RECURSIVE: [MessageEntry; 1] = [MessageEntry {
        name: "R",
        fields: &[FieldEntry { number: 1, name: "r", label: Label::Optional, message: Some(0) }],
    }];
    let nested = |depth| (0..depth).fold(Vec::new(), |inner, _| field(1, &inner));
    let check = |bytes: &[u8]| Check::new(&RECURSIVE, 0, bytes).whole();
    check(&nested(DEPTH_LIMIT)).unwrap();
    let error = check(&nested(DEPTH_LIMIT + 1)).unwrap_err().to_string();
    assert!(error.starts_with("R: messages are nested too deep, at byte "), "{error}");
}

#[test]
fn the_table_is_consistent() {
    for entry in &MESSAGES {
        assert!(entry.fields.is_sorted_by_key(|field| field.number), "{}", entry.name);
        assert!(entry.fields.iter().all(|field| field.message.is_none_or(|message| message < MESSAGES.len())));
    }
    assert_eq!(MESSAGES[Launch::INDEX.0].name, "mesos.containerizer.Launch");
    assert!(MESSAGES.iter().any(|entry| entry.name == COMMAND));
}

#[test]
fn what_is_always_written_is_written() {
    assert_eq!(Termination::default().encode_to_vec(), b"\x08\x00");
    let full = Termination { killed: false, message: Some(String::new()), status: Some(256), ..Default::default() };
    assert_eq!(full.encode_to_vec(), b"\x08\x00\x12\x00\x18\x80\x02");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Launch>(&bytes);
        let _ = decode::<Update>(&bytes);
        let _ = decode::<state::Checkpoint>(&bytes);
    }

    #[test]
    fn plausible_bytes_never_panic(
        fields in prop::collection::vec((0_u8..16, 0_u8..8, prop::collection::vec(any::<u8>(), 0..12)), 0..20),
    ) {
        // Tags and lengths that are often right get further than noise does.
        let mut bytes = Vec::new();
        for (number, wire, value) in fields {
            bytes.push(number << 3 | wire);
            bytes.push(value.len() as u8);
            bytes.extend(value);
        }
        let nested = [id(), field(2, &bytes), field(3, &field(7, &bytes))].concat();
        let _ = decode::<Launch>(&bytes);
        let _ = decode::<Launch>(&nested);
    }
}
