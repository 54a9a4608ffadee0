//! What JSON says of messages, and which JSON is refused in which words.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::io::{self, Read};

use proptest::prelude::*;
use prost::Message;
use serde_json::Value;

use super::arbitrary::message;
use super::schema::Schema;
use super::to_wire::to_wire_within;
use super::*;
use crate::protocol::fixtures;
use crate::protocol::mesos::containerizer::{Launch, Termination, Update};
use crate::protocol::mesos::{Credential, ResourceStatistics};

const UPDATE: &str = "mesos.containerizer.Update";
const TERMINATION: &str = "mesos.containerizer.Termination";

fn read(name: &'static str, text: &str) -> Result<Vec<u8>, String> {
    to_wire(name, text.as_bytes()).map_err(|error| error.to_string())
}

fn refusal(name: &'static str, text: &str) -> String {
    read(name, text).unwrap_err()
}

fn write(name: &'static str, bytes: &[u8]) -> String {
    String::from_utf8(from_wire(name, bytes).unwrap()).unwrap()
}

#[test]
fn a_message_in_both_forms() {
    let text = r#"{"container_id":{"value":"a\"\\\nü\u0001"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":18446744073709551615}]}}]}"#;
    let bytes = read(UPDATE, text).unwrap();
    let update = Update::decode(&*bytes).unwrap();
    assert_eq!(update.container_id.value, "a\"\\\nü\u{1}");
    assert_eq!(update.resources[0].scalar.unwrap().value, 0.5);
    assert_eq!(update.resources[1].ranges.as_ref().unwrap().range[0].end, u64::MAX);
    assert_eq!(write(UPDATE, &bytes), text);
    assert_eq!(update.encode_to_vec(), bytes);
}

#[test]
fn every_kind_in_the_forms_that_are_read() {
    let termination = |text: &str| Termination::decode(&*read(TERMINATION, text).unwrap()).unwrap();
    assert_eq!(termination(r#"{"killed":true,"status":-1,"state":"TASK_LOST","message":null}"#).status, Some(-1));
    let numbers =
        termination(r#" { "killed" : false , "state":5,"status":256.0, "reasons":[0,"REASON_CONTAINER_LIMITATION"]}"#);
    assert_eq!((numbers.state, numbers.status, numbers.reasons.len()), (Some(5), Some(256), 2));
    let bytes = |text: &str| Credential::decode(&*read("mesos.Credential", text).unwrap()).unwrap().secret;
    assert_eq!(bytes(r#"{"secret":"/wA+"}"#), bytes(r#"{"secret":"\/wA+"}"#));
    assert_eq!((bytes(r#"{"secret":"AA=="}"#), bytes(r#"{"secret":"AA"}"#)), (Some(vec![0]), Some(vec![0])));
    let statistics =
        |text: &str| ResourceStatistics::decode(&*read("mesos.ResourceStatistics", text).unwrap()).unwrap();
    let text = statistics(r#"{"timestamp":"-Infinity","mem_limit_bytes":"18446744073709551615","cpus_limit":2}"#);
    assert_eq!((text.timestamp, text.mem_limit_bytes, text.cpus_limit), (f64::NEG_INFINITY, Some(u64::MAX), Some(2.0)));
    assert_eq!(read(UPDATE, "{}"), Ok(vec![]));
    assert_eq!(read(UPDATE, r#"{"resources":[]}"#), Ok(vec![]));
}

#[test]
fn numbers_are_as_short_as_they_can_be() {
    let shown = |value: f64| write("mesos.Value.Scalar", &[vec![9], value.to_le_bytes().to_vec()].concat());
    for (value, text) in [(0.1, "0.1"), (64.0, "64"), (-0.0, "-0"), (1e300, "1e300"), (f64::NAN, "\"NaN\"")] {
        assert_eq!(shown(value), format!("{{\"value\":{text}}}"));
    }
    assert_eq!(shown(1_416_575_774.123_456_7), "{\"value\":1416575774.1234567}");
}

#[test]
fn what_is_unknown_is_named_with_the_likely_field() {
    let message = refusal(UPDATE, "{\"container_id\":\n {\"vlaue\":\"c1\"}}");
    assert_eq!(
        message,
        "mesos.containerizer.Update: unknown field \"container_id.vlaue\" at line 2 column 10, did you mean value?; known are \
         value"
    );
    let message = refusal(UPDATE, r#"{"resources":[{},{"scalar":{"x":1}}]}"#);
    assert!(message.contains("unknown field \"resources[1].scalar.x\" at line 1 column"), "{message}");
    // Not even where nothing would be set, and whatever it is.
    assert!(refusal(UPDATE, r#"{"containerId":null}"#).contains("did you mean container_id?"));
    assert!(refusal(UPDATE, r#"{"":{"a":[1]}}"#).contains("unknown field \"\""));
    let message = refusal(TERMINATION, r#"{"killed":true,"state":"TASK_LSOT"}"#);
    assert!(message.contains("state: one of TASK_") && message.contains("found \"TASK_LSOT\""), "{message}");
    assert!(message.ends_with("did you mean TASK_LOST?"), "{message}");
}

#[test]
fn what_stands_twice_is_refused() {
    let message = refusal(UPDATE, r#"{"container_id":{"value":"a","value":"b"}}"#);
    assert!(message.contains("Update: container_id.value stands twice, again at line 1 column"), "{message}");
    assert!(refusal(UPDATE, r#"{"resources":null,"resources":[]}"#).contains("resources stands twice"));
}

#[test]
fn a_wrong_type_is_named_with_its_place_and_what_is_wanted() {
    let statistics = "mesos.ResourceStatistics";
    for (name, text, said) in [
        (UPDATE, r#"{"container_id":"c1"}"#, "container_id: an object is wanted, found \"c1\", at line 1"),
        (UPDATE, r#"{"container_id":[]}"#, "container_id: an object is wanted, found an array"),
        (UPDATE, r#"{"container_id":{"value":1}}"#, "container_id.value: a text is wanted, found 1,"),
        (UPDATE, r#"{"container_id":{"value":{}}}"#, "container_id.value: a text is wanted, found an object"),
        (UPDATE, r#"{"resources":{}}"#, "resources: an array is wanted, found an object"),
        (UPDATE, r#"{"resources":7}"#, "resources: an array is wanted, found 7"),
        (UPDATE, r#"{"resources":[{},null]}"#, "resources[1]: an object is wanted, found null"),
        (UPDATE, r#"{"resources":[[]]}"#, "resources[0]: an object is wanted, found an array"),
        (
            UPDATE,
            r#"{"resources":[{"scalar":{"value":"1"}}]}"#,
            "resources[0].scalar.value: a number is wanted, found \"1\"",
        ),
        (TERMINATION, r#"{"killed":1}"#, "killed: true or false is wanted, found 1"),
        (
            TERMINATION,
            r#"{"status":2147483648}"#,
            "status: a whole number from -2147483648 to 2147483647 is wanted, found 2",
        ),
        (TERMINATION, r#"{"status":0.5}"#, "found 0.5"),
        (TERMINATION, r#"{"status":"1"}"#, "found \"1\""),
        (TERMINATION, r#"{"state":2147483648}"#, "state: one of TASK_"),
        (TERMINATION, r#"{"reasons":["x"]}"#, "reasons[0]: one of REASON_"),
        (
            statistics,
            r#"{"mem_rss_bytes":-1}"#,
            "mem_rss_bytes: a whole number from 0 to 18446744073709551615 is wanted",
        ),
        (statistics, r#"{"mem_rss_bytes":18446744073709551616}"#, "mem_rss_bytes: a whole number"),
        // It would be read as one less.
        (statistics, r#"{"mem_rss_bytes":9007199254740993.0}"#, "mem_rss_bytes: a whole number"),
        (statistics, r#"{"mem_rss_bytes":"1e3"}"#, "found \"1e3\""),
        (statistics, r#"{"processes":4294967296}"#, "processes: a whole number from 0 to 4294967295 is wanted"),
        ("mesos.Credential", r#"{"secret":"&"}"#, "secret: a text in base64 is wanted, found \"&\""),
    ] {
        let message = refusal(name, text);
        assert!(message.starts_with(name) && message.contains(said), "{message}");
    }
    for text in ["[]", "null", "7", "-7", "true", "0.5", "\"x\""] {
        assert!(refusal(UPDATE, text).contains("Update: an object is wanted, found "), "{text}");
    }
    let long = refusal(UPDATE, &format!(r#"{{"container_id":"{}"}}"#, "x".repeat(1000)));
    assert!(long.len() < 200 && long.contains("xxx\"..., at line 1"), "{long}");
    let long = refusal(UPDATE, &format!(r#"{{"container_id":{{"{}":1}}}}"#, "x".repeat(1000)));
    assert!(long.len() < 200 && long.contains("\"container_id.xxx") && long.contains("xxx...\" at line 1"), "{long}");
}

#[test]
fn what_is_no_json_is_named_with_line_and_column() {
    for (text, said) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{\n\"container_id\"", "line 2 column 14"),
        ("{\n\"container_id\" {", "at line 2 column 16"),
        ("{'container_id':1}", "line 1 column 2"),
        ("{\"resources\":[1,]}", "line 1"),
        ("{\"resources\":[],}", "trailing comma at line 1 column 17"),
        ("{\"container_id\":{\"value\":\"\\ud800\"}}", "line 1"),
        ("container", "line 1 column 1"),
        ("{\"resources\":1e400", "Update: bad JSON: number out of range at line 1"),
    ] {
        let message = refusal(UPDATE, text);
        assert!(message.contains(said), "{text:?}: {message}");
    }
    let not_utf8 = to_wire(UPDATE, &b"{\"container_id\":{\"value\":\"\xff\"}}"[..]).unwrap_err();
    assert!(not_utf8.to_string().contains("invalid unicode code point at line 1 column"), "{not_utf8}");
    assert!(refusal(UPDATE, &"[".repeat(1 << 20)).contains("an object is wanted"));
}

/// Gives `text` again and again, and counts.
struct Endless<'a>(&'static [u8], &'a Cell<u64>);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.1.set(self.1.get() + count as u64);
        Ok(count)
    }
}

#[test]
fn the_input_is_read_to_a_limit() {
    let count = Cell::new(0);
    let error = to_wire_within(UPDATE, Endless(b"  ", &count), 1000, 100).unwrap_err();
    assert!(matches!(error, JsonError::TooLong { limit: 1000, .. }), "{error}");
    assert_eq!(count.get(), 1000);
}

#[test]
fn a_record_that_is_too_large_is_not_made() {
    let of = |length: usize, behind: &str| {
        let text = format!("{{\"container_id\":{{\"value\":\"{}\"}}{behind}", "x".repeat(length));
        to_wire_within(UPDATE, text.as_bytes(), 1000, 100)
    };
    assert_eq!(of(96, "}").unwrap().len(), 100);
    for (length, behind) in [(97, "}"), (200, "}"), (97, ", and no more is looked at")] {
        let error = of(length, behind).unwrap_err();
        assert!(matches!(error, JsonError::TooLarge { limit: 100, .. }), "{error}");
    }
    let many = format!("{{\"resources\":[{}]}}", ["{}"; 60].join(","));
    let error = to_wire_within(UPDATE, many.as_bytes(), 1000, 100).unwrap_err();
    assert!(matches!(error, JsonError::TooLarge { limit: 100, .. }), "{error}");
}

#[test]
fn nothing_is_asked_for_behind_the_object() {
    struct Held(bool);
    impl Read for Held {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!std::mem::replace(&mut self.0, true), "read once more");
            let text = b"{\"container_id\":{\"value\":\"c1\"}}";
            buffer[..text.len()].copy_from_slice(text);
            Ok(text.len())
        }
    }
    assert_eq!(to_wire(UPDATE, Held(false)).unwrap(), b"\n\x04\n\x02c1");
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(matches!(to_wire(UPDATE, Broken), Err(JsonError::Read(error)) if error.to_string() == "broken"));
}

#[test]
fn bytes_are_read_as_protobuf_has_it() {
    // The last one wins; parts of a message belong together; what is unknown is skipped; packed or not.
    let killed = [&[8, 1][..], &[8, 0], &[0x78, 5], &[42, 2, 0, 1], &[40, 0]].concat();
    assert_eq!(
        write(TERMINATION, &killed),
        r#"{"killed":false,"reasons":["REASON_COMMAND_EXECUTOR_FAILED","REASON_EXECUTOR_TERMINATED","REASON_COMMAND_EXECUTOR_FAILED"]}"#
    );
    let launch = b"\x1a\x05\x0a\x03\x0a\x01x\x1a\x03\x52\x01n".as_slice();
    assert_eq!(
        write("mesos.containerizer.Launch", launch),
        r#"{"executor_info":{"executor_id":{"value":"x"},"source":"n"}}"#
    );
    for (bytes, reason) in [
        (&[8][..], "cut short"),
        (&[10, 1, 0], "another type"),
        (&[16, 1], "another type"),
        (&[18, 1, 0xff], "not UTF-8"),
        (&[42, 1, 0x80], "cut short"),
    ] {
        let error = from_wire(TERMINATION, bytes).unwrap_err().to_string();
        assert!(error.starts_with(TERMINATION) && error.contains(reason), "{error}");
    }
}

#[test]
fn every_fixture_is_the_same_after_json() {
    for path in fixtures::all() {
        let bytes = fixtures::message(&path);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = match stem.trim_start_matches("documented-").split('-').next().unwrap() {
            "launch" => "mesos.containerizer.Launch",
            "update" => UPDATE,
            "usage" => "mesos.containerizer.Usage",
            "wait" => "mesos.containerizer.Wait",
            "destroy" => "mesos.containerizer.Destroy",
            other => panic!("{other}"),
        };
        let text = from_wire(name, &bytes).unwrap();
        assert!(!text.contains(&b'\n'));
        assert!(to_wire(name, &*text).unwrap() == bytes, "{}", path.display());
        if name.ends_with("Launch") {
            // By code that knows nothing of the schema here.
            let launch: Launch = crate::protocol::decode(&bytes).unwrap();
            let json: Value = serde_json::from_slice(&text).unwrap();
            let executor = launch.executor_info.unwrap();
            assert_eq!(json["container_id"]["value"], launch.container_id.value);
            assert_eq!(json["executor_info"]["executor_id"]["value"], executor.executor_id.value);
            assert_eq!(json["executor_info"]["command"]["value"].as_str(), executor.command.value.as_deref());
            assert_eq!(json["directory"].as_str(), launch.directory.as_deref());
        }
    }
}

/// Any message of the schema, with its name.
fn any_message() -> impl Strategy<Value = (&'static str, Value)> {
    let names: Vec<_> = Schema::load().messages().collect();
    prop::sample::select(names).prop_flat_map(|name| (Just(name), message(name, 0)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn json_is_the_same_after_the_wire((name, json) in any_message()) {
        let bytes = to_wire(name, json.to_string().as_bytes()).unwrap();
        let text = from_wire(name, &bytes).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), json);
    }

    #[test]
    fn messages_are_the_same_after_json(launch in message("mesos.containerizer.Launch", 0),
                                        statistics in message("mesos.ResourceStatistics", 0)) {
        // A NaN is not equal to itself, but is written alike.
        fn both<M: Message + Default + std::fmt::Debug>(name: &'static str, json: &Value) -> (String, String) {
            let bytes = to_wire(name, json.to_string().as_bytes()).unwrap();
            let again = to_wire(name, &*from_wire(name, &bytes).unwrap()).unwrap();
            (format!("{:?}", M::decode(&*bytes).unwrap()), format!("{:?}", M::decode(&*again).unwrap()))
        }
        let (first, second) = both::<Launch>("mesos.containerizer.Launch", &launch);
        prop_assert_eq!(first, second);
        let (first, second) = both::<ResourceStatistics>("mesos.ResourceStatistics", &statistics);
        prop_assert_eq!(first, second);
    }

    #[test]
    fn any_bytes_and_any_text_are_no_more_than_refused(bytes: Vec<u8>, text: String) {
        if let Ok(json) = from_wire("mesos.containerizer.Launch", &bytes) {
            to_wire("mesos.containerizer.Launch", &*json).unwrap();
        }
        let _ = to_wire("mesos.containerizer.Launch", text.as_bytes());
    }
}
