//! Flags (lines that begin with a dash) and variables (all other lines with an equals sign): deciding every setting ends, and the settings in force
//! are the same when a configuration file says them. And the texts that have a form of their own, each line as every one of them.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::capability::Capabilities;
use super::rlimit::{self, Limit};
use super::userns::IdRange;
use super::values::{ValueError, parse_bool, parse_bytes, parse_duration, print_bytes, print_duration};
use super::{Config, PortRanges, ProjectRange, Settings, Untrusted, in_force};
use crate::fuzzing::text;

/// See the module.
pub(crate) fn body(data: &[u8]) {
    let mut settings = Settings::default();
    let mut environment = Vec::new();
    // Neither an argument nor a variable can have a NUL in it.
    let lines = || data.split(|byte| *byte == b'\n' || *byte == 0);
    for line in lines() {
        match line {
            [b'-', ..] => drop(settings.add(OsStr::from_bytes(line)).map_err(|error| error.to_string())),
            _ => environment.extend(variable(line)),
        }
        forms(text(line));
        crate::isolators::fuzzing::flags(text(line));
        crate::verbs::fuzzing::container_info(text(line));
        crate::agent::fuzzing::resources(line);
    }
    whole(&settings, &environment);
    let words = lines().map(|line| OsStr::from_bytes(line).to_owned());
    if let Err(error) = crate::cli::parse(words) {
        assert!(!error.to_string().is_empty());
    }
}

fn variable(line: &[u8]) -> Option<(OsString, OsString)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    Some((OsStr::from_bytes(&line[..at]).to_owned(), OsStr::from_bytes(&line[at + 1..]).to_owned()))
}

fn whole(settings: &Settings, environment: &[(OsString, OsString)]) {
    let given = || environment.iter().cloned();
    // As if a framework had set the first of them.
    let first = environment.first().and_then(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let _ = Config::resolve(settings, given(), &Untrusted::of(first.into_iter()));
    let (config, printed) = match in_force(settings, given(), |_, _| Ok(None)) {
        Ok(found) => found,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // Paths may be other than UTF-8, and a file can only have those that are not.
    if printed.contains("as it is not UTF-8") {
        return;
    }
    let read = Config::resolve_with_file(&Settings::default(), std::iter::empty(), &Untrusted::default(), |_, _| {
        Ok(Some(printed.clone()))
    });
    let (read, _) = read.unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(Config { config: config.config.clone(), ..read }, config, "{printed}");
}

/// What is read is the same when it is printed and read again.
fn same<T: PartialEq + std::fmt::Debug, E: std::fmt::Display>(
    text: &str,
    read: impl Fn(&str) -> Result<T, E>,
    print: impl Fn(&T) -> String,
) {
    match read(text) {
        Ok(value) => {
            let printed = print(&value);
            assert_eq!(read(&printed).ok().as_ref(), Some(&value), "printed as {printed:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn forms(text: &str) {
    same(text, parse_duration, |value| print_duration(*value));
    same(text, parse_bytes, |value| print_bytes(*value));
    same(text, parse_bool, bool::to_string);
    same(text, Capabilities::parse, Capabilities::to_string);
    same(text, limits, |list| list.iter().map(Limit::to_string).collect::<Vec<_>>().join(","));
    same(text, ProjectRange::parse, ProjectRange::to_string);
    same(text, PortRanges::parse, PortRanges::to_string);
    same(text, PortRanges::parse_any, PortRanges::to_string);
    same(text, IdRange::parse, IdRange::to_string);
}

/// An empty list cannot be written as text: it is the flag left out.
fn limits(text: &str) -> Result<Vec<Limit>, ValueError> {
    match rlimit::parse(text)? {
        none if none.is_empty() => Err(ValueError::Bool),
        limits => Ok(limits),
    }
}
