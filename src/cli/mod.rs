//! The command line: `mesos-ecp [--flag=value...] VERB [--flag=value...]`, and the few commands for operators ([`Tool`]).
//!
//! The agent calls `sh -c "<containerizer_path> <verb>"`, so an operator's flags come before the verb; people write them
//! after it. Parsing is a loop over two small tables: reading the command line is much of what a `usage` costs.
#![forbid(unsafe_code)]

mod help;
mod layout;
mod tool;
mod verb;

pub use help::{program_help, tool_help, verb_help, version};
pub use tool::{ToRun, Tool, ToolAbout};
pub use verb::{About, Verb};

use crate::agent::Order;
use crate::config::{ConfigError, Settings, closest};
use crate::testing;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// The help of the program: [`program_help`].
    Help,
    /// The help of one verb: [`verb_help`].
    VerbHelp(Verb),
    /// The help of one command for operators: [`tool_help`].
    ToolHelp(Tool),
    /// The version: [`version`].
    Version,
    /// The real thing.
    Run {
        /// What to do.
        verb: Verb,
        /// The flags, values unread.
        settings: Settings,
    },
    /// Start an agent.
    Agent(Order),
    /// Say which settings are in force with these flags, values unread.
    Config(Settings),
    /// Check an isolator.
    IsolatorCheck(testing::Order),
    /// Undo what was done to the host's network.
    NetworkTeardown,
    /// Run one container in the foreground.
    Container(ToRun),
}

/// The exit code for a failure of a call with these arguments, where the failure itself has none.
pub fn failure_code(arguments: &[OsString]) -> i32 {
    tool::asked(arguments).map_or(1, Tool::failure_code)
}

/// Understands a command line, given without the program's own name.
///
/// Asking for help or the version wins over everything else, wherever it stands, but not over an argument that is wrong.
///
/// # Errors
/// Whatever [`Settings::add`] refuses, a missing or unknown verb, and anything after the verb that is no flag. Values of
/// flags are not looked at. Of a command for operators: all that is wrong.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Invocation, ConfigError> {
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(tool) = tool::asked(&arguments) {
        return tool::parse(tool, arguments);
    }
    let mut settings = Settings::default();
    let (mut help, mut version) = (false, false);
    let mut words = Vec::new();
    for argument in arguments {
        match argument.as_bytes() {
            b"--help" | b"-h" => help = true,
            b"--version" | b"-V" => version = true,
            [b'-', ..] => settings.add(&argument)?,
            _ => words.push(argument),
        }
    }
    let mut words = words.into_iter();
    let mut verb = None;
    // The word that an argument too many stands behind, where that is no verb.
    let mut last = "help";
    match words.next() {
        None => {}
        Some(word) if word == "help" => {
            help = true;
            let about = words.next();
            if let Some(tool) = about.as_deref().and_then(Tool::named) {
                return match words.next() {
                    None => Ok(Invocation::ToolHelp(tool)),
                    Some(extra) => Err(extra_argument(tool.about().name, &extra)),
                };
            }
            verb = about.map(|word| verb_named(&word)).transpose()?;
        }
        Some(word) if word == "version" => (version, last) = (true, "version"),
        Some(word) => verb = Some(verb_named(&word)?),
    }
    if let Some(extra) = words.next() {
        return Err(extra_argument(verb.map_or(last, Verb::name), &extra));
    }
    match verb {
        Some(verb) if help => Ok(Invocation::VerbHelp(verb)),
        None if help => Ok(Invocation::Help),
        _ if version => Ok(Invocation::Version),
        Some(verb) => Ok(Invocation::Run { verb, settings }),
        None => Err(ConfigError::NoVerb { known: known_verbs() }),
    }
}

fn extra_argument(verb: &'static str, extra: &OsStr) -> ConfigError {
    ConfigError::ExtraArgument { verb, argument: extra.to_string_lossy().into_owned() }
}

fn verb_named(argument: &OsStr) -> Result<Verb, ConfigError> {
    let name = argument.to_string_lossy();
    Verb::named(&name).ok_or_else(|| ConfigError::UnknownVerb {
        closest: closest(&name, names()),
        known: known_verbs(),
        verb: name.into_owned(),
    })
}

fn known_verbs() -> String {
    names().collect::<Vec<_>>().join(", ")
}

fn names() -> impl Iterator<Item = &'static str> {
    Verb::ALL.iter().map(|verb| verb.name()).chain(Tool::ALL.iter().map(|tool| tool.about().name))
}

#[cfg(test)]
mod tests;
