//! The records of real agents against the definitions: tests only.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use prost::Message;

use super::mesos::containerizer::{Destroy, Launch, Update, Usage, Wait};
use super::{Described, RecordError, decode, mesos, read_record, write_record};

/// Every captured record, in a stable order.
pub(super) fn all() -> Vec<PathBuf> {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")];
    let mut records = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "recordio") {
                records.push(path);
            }
        }
    }
    records.sort();
    assert!(records.len() > 100, "only {} fixtures", records.len());
    records
}

/// The message of a record, which is all that its file has.
pub(super) fn message(path: &Path) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let mut left = &file[..];
    let message = read_record(&mut left).unwrap();
    assert!(left.is_empty(), "{}", path.display());
    message
}

pub(super) fn named(name: &str) -> Vec<u8> {
    message(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name))
}

/// Decodes as the verb that the file is named after, and returns the container's id and the message encoded again.
fn decoded(path: &Path, bytes: &[u8]) -> Result<(String, Vec<u8>), RecordError> {
    fn both<M: Message + Default + Described>(
        bytes: &[u8],
        id: fn(M) -> mesos::ContainerId,
    ) -> Result<(String, Vec<u8>), RecordError> {
        let message: M = decode(bytes)?;
        let mut record = Vec::new();
        write_record(&mut record, &message)?;
        Ok((id(message).value, record.split_off(4)))
    }
    let name = path.file_stem().unwrap().to_str().unwrap();
    match name.trim_start_matches("documented-").split('-').next().unwrap() {
        "launch" => both(bytes, |message: Launch| message.container_id),
        "update" => both(bytes, |message: Update| message.container_id),
        "usage" => both(bytes, |message: Usage| message.container_id),
        "wait" => both(bytes, |message: Wait| message.container_id),
        "destroy" => both(bytes, |message: Destroy| message.container_id),
        other => panic!("a fixture of no known verb: {other}"),
    }
}

/// Byte for byte the same again: no field, of any release, is lost or has another type here.
#[test]
fn every_record_is_understood_completely() {
    for path in all() {
        let bytes = message(&path);
        let (id, again) = decoded(&path, &bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(again == bytes, "{} is encoded differently", path.display());
        assert!(!id.is_empty());
        let Ok(text) = fs::read_to_string(path.with_extension("textproto")) else {
            continue;
        };
        let wanted = text.strip_prefix("container_id {\n  value: \"").and_then(|rest| rest.split('"').next());
        assert_eq!(Some(&id[..]), wanted, "{}", path.display());
    }
}

#[test]
fn every_record_cut_anywhere_is_an_error_or_a_shorter_message() {
    for path in all() {
        let bytes = message(&path);
        // The large one has its fields repeated thousands of times; a sample of its places is enough.
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 4096) {
            match decoded(&path, &bytes[..end]) {
                Ok((_, again)) => {
                    assert_eq!(again, &bytes[..end], "{} up to {end}", path.display())
                }
                Err(error) => assert!(error.to_string().starts_with("mesos.containerizer."), "{error}"),
            }
        }
    }
}

#[test]
fn what_was_launched_is_read() {
    let launch: Launch = decode(&named("agent-0.28.2/command/launch-0.recordio")).unwrap();
    let task = launch.task_info.unwrap();
    let executor = launch.executor_info.unwrap();
    assert_eq!(task.command.as_ref().unwrap().value(), "echo out; echo err >&2; sleep 2; exit 3");
    assert!(task.command.unwrap().shell(), "absent means true");
    assert_eq!(executor.command.shell, Some(true));
    assert_eq!(launch.slave_pid.as_deref(), Some("slave(1)@127.0.0.1:5051"));
    assert_eq!(super::resources::scalar(&executor.resources, "cpus"), Some(0.6));
    assert_eq!(super::resources::mem_bytes(&executor.resources), Some(96 << 20));
}

proptest! {
    #[test]
    fn damaged_records_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for name in ["agent-0.22.2/docker", "agent-0.28.2/mesos-image", "agent-1.0.4/uris"] {
            let mut bytes = named(&format!("{name}/launch-0.recordio"));
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let _ = decode::<Launch>(&bytes);
        }
    }
}
