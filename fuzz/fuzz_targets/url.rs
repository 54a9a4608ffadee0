//! A URL, and where servers send us from there. What must hold: `src/bin/mesos-ecp-fetch/fuzzing.rs`.
#![no_main]
#![allow(dead_code)]

// A program has no library: its files, then.
#[path = "../../src/bin/mesos-ecp-fetch/error.rs"]
mod error;
#[path = "../../src/bin/mesos-ecp-fetch/extract/mod.rs"]
mod extract;
#[path = "../../src/bin/mesos-ecp-fetch/fuzzing.rs"]
mod fuzzing;
#[path = "../../src/bin/mesos-ecp-fetch/http/url.rs"]
mod url;
mod http {
    pub use crate::url::Url;
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::url(data));
