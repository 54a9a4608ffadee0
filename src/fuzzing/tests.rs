//! The list of targets is whole: each has seeds, is called by cargo-fuzz, and is told of.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use super::NAMES;

/// Those of `mesos-ecp-fetch`, which has their plain tests.
const OF_FETCH: [&str; 2] = ["archive", "url"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn listed(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_target_is_called_and_has_seeds_and_a_line_in_the_documents() {
    let mut all: Vec<String> = NAMES.iter().chain(&OF_FETCH).map(|name| (*name).to_owned()).collect();
    all.sort();
    assert_eq!(listed("fuzz/seeds"), all);
    assert_eq!(listed("fuzz/fuzz_targets"), all.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let page = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let of_fetch = fs::read_to_string(root().join("src/bin/mesos-ecp-fetch/fuzzing.rs")).unwrap();
    for name in &all {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(page.contains(&format!("| `{name}` |")), "docs/testing.md says nothing of {name}");
        assert!(!super::plain::seeds(name).is_empty(), "fuzz/seeds/{name} is empty");
        let call = fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        let body = if NAMES.contains(&name.as_str()) { "mesos_ecp::fuzzing" } else { "fuzzing" };
        assert!(call.contains(&format!("{body}::{name}(data)")), "{name}");
        assert!(
            NAMES.contains(&name.as_str()) || of_fetch.contains(&format!("plain::run(\"{name}\", {name},")),
            "{name}"
        );
    }
}

#[test]
fn seeds_stay_small() {
    let all = NAMES.iter().chain(&OF_FETCH).flat_map(|name| super::plain::seeds(name));
    let bytes: usize = all.map(|(_, seed)| seed.len()).sum();
    assert!(bytes <= 300 << 10, "{bytes} bytes");
}
