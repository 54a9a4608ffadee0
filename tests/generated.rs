//! The code in `src/protocol/generated` is what `proto/` says, made without protoc.
//!
//! After a change in `proto/`, and before the code that uses it: `UPDATE_GENERATED=1 cargo test --test generated`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use protox::prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

const HEADER: &str = "// Made from proto/ by tests/generated.rs; not to be edited.\n";

fn package_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names within `dir` that end in `.EXTENSION`, sorted.
fn names(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| PathBuf::from(path.file_name().unwrap()))
        .collect();
    names.sort();
    names
}

/// All that is there, sorted.
fn generated(dir: &Path) -> Vec<PathBuf> {
    let mut all = [names(dir, "rs"), names(dir, "txt")].concat();
    all.sort();
    all
}

/// File name → text of everything that belongs into `src/protocol/generated`.
fn generate() -> BTreeMap<PathBuf, String> {
    let proto = package_dir().join("proto");
    let mut compiler = protox::Compiler::new([&proto]).unwrap();
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(names(&proto, "proto")).unwrap();

    let out = tempfile::tempdir().unwrap();
    prost_build::Config::new().out_dir(out.path()).compile_fds(compiler.file_descriptor_set()).unwrap();

    let mut files: BTreeMap<_, _> = names(out.path(), "rs")
        .into_iter()
        .map(|name| (name.clone(), format!("{HEADER}{}", fs::read_to_string(out.path().join(name)).unwrap())))
        .collect();
    let pool = compiler.descriptor_pool();
    files.insert("tables.rs".into(), tables(&pool));
    files.insert("schema.txt".into(), schema(&pool));
    files
}

/// What the wire checker must know: required fields, and fields that are messages.
fn tables(pool: &DescriptorPool) -> String {
    let mut messages: Vec<_> = pool.all_messages().collect();
    messages.sort_by(|a, b| a.full_name().cmp(b.full_name()));
    let index = |message: &MessageDescriptor| messages.iter().position(|other| other == message).unwrap();

    let mut text =
        format!("{HEADER}\npub(in crate::protocol) static MESSAGES: [MessageEntry; {}] = [\n", messages.len());
    for message in &messages {
        let mut fields: Vec<FieldDescriptor> = message.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        writeln!(text, "    MessageEntry {{\n        name: {:?},\n        fields: &[", message.full_name()).unwrap();
        for field in fields {
            let nested = field.kind().as_message().map(&index);
            let label = match field.cardinality() {
                Cardinality::Optional if nested.is_none() => continue,
                Cardinality::Repeated if nested.is_none() => continue,
                other => other,
            };
            let (number, name) = (field.number(), field.name());
            writeln!(
                text,
                "            FieldEntry {{ number: {number}, name: {name:?}, label: Label::{label:?}, message: {nested:?} }},"
            )
            .unwrap();
        }
        text.push_str("        ],\n    },\n");
    }
    text.push_str("];\n");

    // The messages that are whole records, and one that a flag has. The names of most others in package mesos are not those of their structs.
    for message in messages.iter().filter(|message| message.parent_message().is_none()) {
        let package = message.package_name();
        if package == "mesos" && !["ContainerInfo", "ResourceStatistics"].contains(&message.name()) {
            continue;
        }
        let path = package.trim_start_matches("mesos_ecp.").replace('.', "::");
        let (name, index) = (message.name(), index(message));
        write!(
            text,
            "\nimpl Described for {path}::{name} {{\n    const INDEX: TableIndex = TableIndex({index});\n}}\n"
        )
        .unwrap();
    }
    text
}

/// What JSON must know: all fields of the agents' messages and of those of program isolators, and the names of enum values. One line each, so that the program
/// holds nothing but a text, which is read only where JSON is asked for.
fn schema(pool: &DescriptorPool) -> String {
    let is_spoken = |package: &str| ["mesos", "mesos.containerizer", "mesos_ecp.isolator"].contains(&package);
    let mut messages: Vec<_> = pool.all_messages().filter(|m| is_spoken(m.package_name())).collect();
    messages.sort_by(|a, b| a.full_name().cmp(b.full_name()));
    let mut enums: Vec<_> = pool.all_enums().filter(|e| is_spoken(e.package_name())).collect();
    enums.sort_by(|a, b| a.full_name().cmp(b.full_name()));

    let mut text = HEADER.replace("//", "#");
    for message in &messages {
        writeln!(text, "message {}", message.full_name()).unwrap();
        let mut fields: Vec<FieldDescriptor> = message.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        for field in fields {
            let label = format!("{:?}", field.cardinality()).to_lowercase();
            let kind = match field.kind() {
                Kind::Message(message) => format!("message={}", message.full_name()),
                Kind::Enum(named) => format!("enum={}", named.full_name()),
                // Those that src/protocol/json/schema.rs knows.
                Kind::Bool | Kind::Bytes | Kind::Double | Kind::Int32 | Kind::Int64 | Kind::String => scalar(&field),
                Kind::Uint32 | Kind::Uint64 => scalar(&field),
                other => panic!("{}: JSON of {other:?} is not written yet", field.full_name()),
            };
            writeln!(text, "{} {label} {kind} {}", field.number(), field.name()).unwrap();
        }
    }
    for named in &enums {
        writeln!(text, "enum {}", named.full_name()).unwrap();
        for value in named.values() {
            writeln!(text, "{} {}", value.number(), value.name()).unwrap();
        }
    }
    text
}

fn scalar(field: &FieldDescriptor) -> String {
    format!("{:?}", field.kind()).to_lowercase()
}

#[test]
fn generated_code_is_what_proto_says() {
    let dir = package_dir().join("src/protocol/generated");
    let wanted = generate();
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(&dir).unwrap();
        for name in generated(&dir) {
            fs::remove_file(dir.join(name)).unwrap();
        }
        for (name, text) in &wanted {
            fs::write(dir.join(name), text).unwrap();
        }
    }
    assert_eq!(generated(&dir), wanted.keys().cloned().collect::<Vec<_>>(), "the files in {}", dir.display());
    for (name, text) in wanted {
        let found = fs::read_to_string(dir.join(&name)).unwrap();
        let line = found.lines().zip(text.lines()).position(|(found, wanted)| found != wanted);
        assert!(
            found == text,
            "{} is out of step with proto/, from line {}: run UPDATE_GENERATED=1 cargo test --test generated",
            name.display(),
            line.unwrap_or(found.lines().count().min(text.lines().count())) + 1,
        );
    }
}
