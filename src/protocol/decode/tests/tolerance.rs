//! What agents of other releases send must not be refused.
#![forbid(unsafe_code)]

use prost::Message as _;

use super::{field, id, launch};
use crate::protocol::decode;
use crate::protocol::mesos::containerizer::{Launch, Termination, Update, Usage};
use crate::protocol::mesos::{CommandInfo, Resource, SlaveId, value};

/// As an agent 0.19 has it, where the check's own fields are of no interest.
fn command_with_check(check: &[u8], long_tag: bool) -> Vec<u8> {
    let mut tagged = field(6, check);
    if long_tag {
        // The same tag in three bytes instead of one.
        tagged.splice(0..1, [0x80 | 6 << 3 | 2, 0x80, 0x00]);
    }
    [field(3, b"sleep 1"), tagged, field(5, b"nobody")].concat()
}

#[test]
fn a_health_check_in_the_place_of_shell_is_left_out() {
    for check in [&b""[..], b"\x0a\x02\x08\x50", b"not a message at all", &[b'x'; 300]] {
        for long_tag in [false, true] {
            let command = command_with_check(check, long_tag);
            let executor = field(3, &[field(1, &field(1, b"e")), field(7, &command)].concat());
            let head = [field(1, b"task"), field(2, &field(1, b"t")), field(3, &field(1, b"s"))].concat();
            let task = field(2, &[head, field(7, &command), field(8, &field(7, &command))].concat());
            let bytes = [id(), task, executor].concat();
            assert!(Launch::decode(&bytes[..]).is_err(), "prost alone refuses it");

            let launch: Launch = decode(&bytes).unwrap();
            let wanted =
                CommandInfo { value: Some("sleep 1".into()), user: Some("nobody".into()), ..Default::default() };
            let task = launch.task_info.unwrap();
            assert_eq!(launch.executor_info.unwrap().command, wanted);
            assert_eq!(task.health_check.unwrap().command.as_ref(), Some(&wanted));
            assert_eq!(task.command.as_ref(), Some(&wanted));
            assert!(wanted.shell());
        }
    }
}

#[test]
fn shell_and_other_fields_with_number_six_are_kept() {
    let mut launch = launch();
    launch.executor_info.as_mut().unwrap().command.shell = Some(false);
    launch.slave_id = Some(SlaveId { value: "agent".into() });
    launch.task_info.as_mut().unwrap().data = Some(b"six".to_vec());
    assert_eq!(decode::<Launch>(&launch.encode_to_vec()).unwrap(), launch);
}

#[test]
fn unknown_fields_are_ignored() {
    // Numbers 200 and 201 in all wire types, a group among them with a group in it.
    let unknown =
        b"\xc0\x0c\x07\xc1\x0c\0\0\0\0\0\0\0\0\xc2\x0c\x02hi\xc3\x0c\xcb\x0c\x08\x01\xcc\x0c\xc4\x0c\xc5\x0c\0\0\0\0";
    let usage: Usage = decode(&[&unknown[..], &id(), unknown].concat()).unwrap();
    assert_eq!(usage.container_id.value, "c");
    let nested = field(1, &[&unknown[..], &field(1, b"c"), unknown].concat());
    assert_eq!(decode::<Usage>(&nested).unwrap(), usage);
}

#[test]
fn unknown_values_of_an_enum_are_kept() {
    let resource = Resource { name: "x".into(), r#type: 77, ..Default::default() };
    let update: Update = decode(&[id(), field(2, &resource.encode_to_vec())].concat()).unwrap();
    assert_eq!(update.resources[0].r#type, 77);
    assert!(value::Type::try_from(77).is_err());
    let bytes = Termination { state: Some(99), reasons: vec![8, 1000], ..Default::default() }.encode_to_vec();
    let termination: Termination = decode(&bytes).unwrap();
    assert_eq!((termination.state, termination.reasons), (Some(99), vec![8, 1000]));
}
