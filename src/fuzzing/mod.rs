//! Hostile input: for each kind of what comes from outside a function that reads any bytes as that and asserts what must hold.
//! It also ends soon, and takes no memory that the input does not pay for: `plain.rs` has the bounds.
//!
//! Each is called by a target of cargo-fuzz (`fuzz/fuzz_targets`), and by a plain test with what `fuzz/seeds` has for it and what
//! becomes of that. What looks into a room stands in that room, as its `fuzzing.rs`. Two targets, `archive` and `url`, are of
//! `mesos-ecp-fetch`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config;
mod framing;
mod json;
mod kernel;
#[cfg(test)]
mod plain;
mod profile;
mod record;
mod resources;
mod scratch;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use scratch::Scratch;

use std::fmt::Debug;

use crate::error::Error;

/// The functions, and a plain test for each.
macro_rules! targets {
    ($($(#[$about:meta])* $name:ident => $body:path,)*) => {
        $($(#[$about])* pub fn $name(data: &[u8]) {
            $body(data);
        })*

        /// Their names.
        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        #[cfg(test)]
        mod seeds {
            $(#[test] fn $name() {
                let counted = |action: &dyn Fn()| Some(crate::sys::most_allocated(action));
                super::plain::run(stringify!($name), super::$name, super::plain::inputs(4000), counted);
            })*
        }
    };
}

targets! {
    /// A configuration file.
    config => config::body,
    /// A stream of records from a reader that gives pieces of any size, and what a supervisor tells launch.
    framing => framing::body,
    /// JSON for one of twelve messages, by the first byte.
    json => json::body,
    /// One of the files of /proc, /sys and control groups, by the first byte.
    kernel => kernel::body,
    /// A mountinfo file.
    mountinfo => crate::cgroup::fuzzing::mountinfo,
    /// Bytes as the kernel's answers over netlink.
    netlink => crate::netlink::fuzzing::body,
    /// A profile of system calls.
    profile => profile::body,
    /// What a program isolator answers, as a record or JSON.
    programs => crate::isolators::fuzzing::programs,
    /// One of sixteen messages, by the first byte.
    record => record::body,
    /// Resources as text.
    resources => resources::body,
    /// Files of a container's state directory, and what isolators keep there.
    state => state::body,
    /// What a framework wants fetched, a line each.
    uris => crate::fetcher::fuzzing::body,
    /// Flags and variables, a line each.
    values => crate::config::fuzzing::body,
}

/// Bytes of a text; other bytes say nothing.
pub(crate) fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

/// The first byte and the rest.
pub(crate) fn selected(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}

/// What is taken is the same after another round. Compared by its text: a NaN is not equal to itself.
pub(crate) fn again<T: Debug>(bytes: &[u8], read: impl Fn(&[u8]) -> Option<T>, write: impl Fn(&T) -> Vec<u8>) {
    if let Some(taken) = read(bytes) {
        let written = write(&taken);
        let again = read(&written).map(|again| format!("{again:?}"));
        assert_eq!(again, Some(format!("{taken:?}")), "written as {}", written.escape_ascii());
    }
}

/// The same of a message.
pub(crate) fn message_again<M: prost::Message + Default + Debug>(bytes: &[u8]) {
    again(bytes, |bytes| M::decode(bytes).ok(), M::encode_to_vec);
}

/// What is refused is refused with words.
pub(crate) fn said<T>(result: Result<T, impl Into<Error>>) -> Option<T> {
    result.map_err(|error| assert!(!error.into().to_string().is_empty())).ok()
}
