//! A value that was found for a setting, and how to speak of it.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::error::ConfigError;
use super::file::Entry;
use super::flags::Flag;

/// Who set a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// A flag.
    CommandLine,
    /// A variable of this name.
    Variable(&'a str),
    /// This file, by this line.
    File(&'a Path, &'a Entry),
    /// The table of flags.
    Default,
}

/// A value and who set it.
pub(super) struct Found<'a> {
    /// What it is the value of.
    pub(super) flag: &'a Flag,
    /// Who set it.
    pub(super) origin: Origin<'a>,
    /// In the form of the command line.
    pub(super) value: OsString,
}

impl Found<'_> {
    /// The setting as the operator wrote it, for messages.
    pub(super) fn written(&self) -> String {
        let value = self.value.to_string_lossy();
        match self.origin {
            Origin::Variable(name) => format!("{name}={value}"),
            Origin::File(path, entry) => format!("{}:{}: {}", path.display(), entry.at, entry.written),
            Origin::CommandLine | Origin::Default => format!("--{}={value}", self.flag.name),
        }
    }

    /// How to write another value in its place.
    pub(super) fn form(&self, value: &str) -> String {
        match self.origin {
            Origin::File(..) => format!("{} = \"{value}\"", self.flag.name),
            _ => format!("--{}={value}", self.flag.name),
        }
    }

    /// The value, which is no path or one in UTF-8.
    pub(super) fn text(&self) -> Result<&str, ConfigError> {
        OsStr::to_str(&self.value).ok_or_else(|| ConfigError::NotUtf8 { setting: self.written() })
    }
}
