//! The commands that are run at the begin and the end of containers.
#![forbid(unsafe_code)]

use super::error::ConfigError;
use super::flags::hooks as flags;
use super::sources::Sources;
use super::values::ValueError;

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// For `/bin/sh -c`, before the command runs. Absent: nothing.
    pub on_launch: Option<String>,
    /// For `/bin/sh -c`, when all processes are gone. Absent: nothing.
    pub on_exit: Option<String>,
}

impl Hooks {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Hooks, ConfigError> {
        Ok(Hooks {
            on_launch: sources.optional(&flags::ON_LAUNCH, text)?,
            on_exit: sources.optional(&flags::ON_EXIT, text)?,
        })
    }
}

fn text(value: &str) -> Result<String, ValueError> {
    Ok(value.to_owned())
}
