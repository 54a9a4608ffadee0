//! What stands on standard input and output: `--format`.
#![forbid(unsafe_code)]

use super::error::ConfigError;
use super::flags::FORMAT;
use super::settings::Settings;
use super::values::ValueError;

/// The form of a verb's message and answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Protobuf with its length before it.
    Record,
    /// One JSON object.
    Json,
}

impl Format {
    /// What the command line asks for. Decided before anything is read, and by nothing else: neither the environment nor a
    /// file may change what an agent's calls read.
    ///
    /// # Errors
    /// Any value but the two.
    pub fn of(settings: &Settings) -> Result<Format, ConfigError> {
        match settings.get(&FORMAT) {
            None => Ok(Format::Record),
            Some(value) if value == "record" => Ok(Format::Record),
            Some(value) if value == "json" => Ok(Format::Json),
            Some(value) => Err(ConfigError::Invalid {
                setting: format!("--{}={}", FORMAT.name, value.to_string_lossy()),
                reason: ValueError::Format,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_command_line_alone_decides() {
        let of = |argument: &str| {
            let mut settings = Settings::default();
            settings.add(argument.as_ref()).unwrap();
            Format::of(&settings).map_err(|error| error.to_string())
        };
        assert_eq!(Format::of(&Settings::default()), Ok(Format::Record));
        assert_eq!(of("--format=record"), Ok(Format::Record));
        assert_eq!(of("--format=json"), Ok(Format::Json));
        for value in ["JSON", "", "protobuf"] {
            let refusal = format!("--format={value}: it is record or json");
            assert_eq!(of(&format!("--format={value}")), Err(refusal));
        }
    }
}
