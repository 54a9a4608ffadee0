//! How `agent` is written.
#![forbid(unsafe_code)]

use std::ffi::OsString;

use super::Tool;
use crate::agent::{MOST_WORKERS, Order};
use crate::cli::Invocation;
use crate::config::ConfigError;

const WORKERS: &str = "workers";

pub(super) fn parse(arguments: Vec<OsString>) -> Result<Invocation, ConfigError> {
    let mut words = arguments.into_iter();
    let (mut help, mut version, mut named) = (false, false, false);
    let mut workers: Option<String> = None;
    for word in words.by_ref().take_while(|word| word != "--") {
        let text = word.to_string_lossy();
        match (&*text, text.strip_prefix("--workers=")) {
            (_, Some(value)) => {
                if let Some(first) = workers.replace(value.to_owned()) {
                    return Err(ConfigError::Twice { name: WORKERS, first, second: value.to_owned() });
                }
            }
            ("--workers", _) => return Err(ConfigError::MissingValue { name: WORKERS, placeholder: "N" }),
            ("--help" | "-h", _) => help = true,
            ("--version" | "-V", _) => version = true,
            (name, _) if !named && name == Tool::Agent.about().name => named = true,
            _ => return Err(ConfigError::NotAgents { argument: text.into_owned() }),
        }
    }
    if help {
        return Ok(Invocation::ToolHelp(Tool::Agent));
    }
    if version {
        return Ok(Invocation::Version);
    }
    let value = workers.ok_or(ConfigError::NoWorkers)?;
    let number = value.parse().ok().filter(|number| (1..=MOST_WORKERS).contains(number));
    let workers = number.ok_or(ConfigError::Workers { value, most: MOST_WORKERS })?;
    let command: Vec<OsString> = words.collect();
    if command.first().is_none_or(|program| program.is_empty()) {
        return Err(ConfigError::NoCommand);
    }
    Ok(Invocation::Agent(Order { workers, command }))
}
