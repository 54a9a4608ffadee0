//! How `config` is written: like a verb.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Tool;
use crate::cli::{Invocation, extra_argument};
use crate::config::{ConfigError, Settings};

pub(super) fn parse(arguments: Vec<OsString>) -> Result<Invocation, ConfigError> {
    let name = Tool::Config.about().name;
    let mut settings = Settings::default();
    let (mut help, mut version, mut named) = (false, false, false);
    for argument in arguments {
        match argument.as_bytes() {
            b"--help" | b"-h" => help = true,
            b"--version" | b"-V" => version = true,
            [b'-', ..] => settings.add(&argument)?,
            word if !named && word == name.as_bytes() => named = true,
            _ => return Err(extra_argument(name, &argument)),
        }
    }
    Ok(match (help, version) {
        (true, _) => Invocation::ToolHelp(Tool::Config),
        (_, true) => Invocation::Version,
        _ => Invocation::Config(settings),
    })
}
