//! The configuration file: TOML, with the flags by their names.
//!
//! It steers a program that runs as root. So it is read only if nobody but root and the caller may write to it
//! ([`read`]), and a key or value that is not understood is refused ([`parse`]); what a value means is then decided as for one
//! of the command line.
#![forbid(unsafe_code)]

mod error;
#[cfg(test)]
mod example;
mod parse;
mod read;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use super::flags::Flag;
pub use error::{FileError, Position};
pub use parse::parse;
pub use read::{LIMIT, read};

/// One line of the file that sets a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it sets.
    pub flag: &'static Flag,
    /// The value in the form that it has on the command line.
    pub value: OsString,
    /// As it stands in the file.
    pub written: String,
    /// Where the key stands.
    pub at: Position,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, for messages.
    pub path: PathBuf,
    /// What it sets, no flag twice.
    pub entries: Vec<Entry>,
}

impl File {
    /// What the file sets the flag to.
    pub(super) fn get(&self, flag: &Flag) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.flag.name == flag.name)
    }
}
