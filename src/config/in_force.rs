//! What `mesos-ecp config` answers: every setting and who set it, as a configuration file.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use super::Config;
use super::error::ConfigError;
use super::file::FileError;
use super::flags::{FLAGS, Flag, Kind};
use super::found::Origin;
use super::settings::Settings;
use super::sources::Sources;
use super::untrusted::Untrusted;
use super::values::parse_bool;

/// Where the comments begin, if the values before them are short enough.
const COLUMN: usize = 52;

/// All settings of a call with these flags and this environment; and the same in TOML, with the source of each behind it. A
/// program that gets the text as its configuration file, and nothing else, comes to the same settings; so does one that gets
/// the same and the file.
///
/// # Errors
/// As [`Config::resolve_with_file`].
pub fn in_force(
    settings: &Settings,
    environment: impl Iterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Path, Option<&str>) -> Result<Option<String>, FileError>,
) -> Result<(Config, String), ConfigError> {
    let (mut sources, _) = Sources::new(settings, environment, &Untrusted::default())?;
    sources.read_file(read)?;
    let config = Config::of(&sources)?;
    let mut text = String::from("# The settings in force, and where each comes from.\n");
    let file = match (sources.file(), &config.config) {
        (Some(file), _) => format!("{} was read", in_comment(&file.path)),
        (None, Some(path)) => format!("there is none at {}", in_comment(path)),
        (None, None) => "none is wanted".to_owned(),
    };
    let by = sources.find(&super::flags::CONFIG)?.map_or(Origin::Default, |found| found.origin);
    let _ = write!(text, "# Configuration file: {file} ({}).\n\n", named(by));
    for flag in FLAGS.iter().filter(|flag| flag.in_file()) {
        let Some(found) = sources.find(flag)? else {
            let _ = writeln!(text, "# {} is not set. {}", flag.name, flag.help);
            continue;
        };
        let source = named(found.origin);
        let _ = match found.text() {
            Ok(value) => writeln!(text, "{:COLUMN$}# {source}", format!("{} = {}  ", flag.name, in_toml(flag, value))),
            // Only paths may be other than UTF-8, and TOML has no way to write them.
            Err(_) => {
                writeln!(text, "# {} = {:?} cannot be set here, as it is not UTF-8: {source}", flag.name, found.value)
            }
        };
    }
    Ok((config, text))
}

fn named(origin: Origin<'_>) -> String {
    match origin {
        Origin::CommandLine => "command line".to_owned(),
        Origin::Variable(name) => name.to_owned(),
        Origin::File(path, entry) => format!("{}:{}", in_comment(path), entry.at.line),
        Origin::Default => "default".to_owned(),
    }
}

/// A file's name, which may have any character in it, on one line.
fn in_comment(path: &Path) -> String {
    let name = path.to_string_lossy();
    if name.chars().any(char::is_control) { name.escape_debug().to_string() } else { name.into_owned() }
}

/// A value that has been found right, from the form of the command line.
fn in_toml(flag: &Flag, value: &str) -> String {
    match flag.kind {
        Kind::Bool => parse_bool(value).map_or_else(|_| quoted(value), |value| value.to_string()),
        // The command line takes leading zeros, TOML does not.
        Kind::Number => value.parse::<i128>().map_or_else(|_| quoted(value), |value| value.to_string()),
        Kind::Text | Kind::Path | Kind::Duration | Kind::Bytes | Kind::List => quoted(value),
    }
}

/// A basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
