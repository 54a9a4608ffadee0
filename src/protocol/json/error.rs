//! What can be wrong with a message in JSON.
#![forbid(unsafe_code)]

use std::io;

/// Why JSON was not taken as a message. Each text says where: by line and column, and by the fields that lead there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The input failed, other than by ending.
    #[error("cannot read the JSON")]
    Read(#[source] io::Error),

    /// Not JSON, its end is missing, or a number that no field can have.
    #[error("{message}: bad JSON: {reason}")]
    Syntax {
        /// Full name of the message that was to be read.
        message: &'static str,
        /// What is wrong, with line and column.
        reason: String,
    },

    /// The text has not ended within the limit.
    #[error("{message}: more than {limit} bytes of JSON")]
    TooLong {
        /// Full name of the message.
        message: &'static str,
        /// The most that is read, in bytes.
        limit: u64,
    },

    /// Good JSON, of a message that is too long for a record.
    #[error("{message}: the JSON makes a record of more than {limit} bytes")]
    TooLarge {
        /// Full name of the message.
        message: &'static str,
        /// The most that a record may have, in bytes.
        limit: u64,
    },

    /// A name that the message has no field of.
    #[error(
        "{message}: unknown field {path:?} at line {line} column {column}{}; known are {known}",
        did_you_mean(*.closest)
    )]
    UnknownField {
        /// Full name of the message that was to be read.
        message: &'static str,
        /// The field, shortened, and those that lead to it.
        path: String,
        /// From 1.
        line: usize,
        /// In bytes, from 1, behind the name.
        column: usize,
        /// The field of nearly the same name.
        closest: Option<&'static str>,
        /// All fields that may stand there, for the message.
        known: String,
    },

    /// A field that stands twice in one object.
    #[error("{message}: {path} stands twice, again at line {line} column {column}; write it once")]
    Twice {
        /// Full name of the message that was to be read.
        message: &'static str,
        /// The field and those that lead to it.
        path: String,
        /// From 1.
        line: usize,
        /// In bytes, from 1, behind the second name.
        column: usize,
    },

    /// A value that the field cannot have.
    #[error(
        "{message}: {}{wanted} is wanted, found {found}, at line {line} column {column}{}",
        behind(path),
        did_you_mean(*.closest)
    )]
    Value {
        /// Full name of the message that was to be read.
        message: &'static str,
        /// The field and those that lead to it; empty for the whole.
        path: String,
        /// What would be right.
        wanted: String,
        /// The beginning of what stands there.
        found: String,
        /// From 1.
        line: usize,
        /// In bytes, from 1, near the end of what stands there.
        column: usize,
        /// The name of an enum's value that is nearly the same.
        closest: Option<&'static str>,
    },
}

impl JsonError {
    /// With the place that the parser names: it alone knows it, and only once it was broken off.
    pub(super) fn at(mut self, at_line: usize, at_column: usize) -> JsonError {
        match &mut self {
            JsonError::UnknownField { line, column, .. }
            | JsonError::Twice { line, column, .. }
            | JsonError::Value { line, column, .. } => (*line, *column) = (at_line, at_column),
            JsonError::Read(_) | JsonError::Syntax { .. } | JsonError::TooLong { .. } | JsonError::TooLarge { .. } => {}
        }
        self
    }
}

fn did_you_mean(closest: Option<&str>) -> String {
    closest.map(|name| format!(", did you mean {name}?")).unwrap_or_default()
}

fn behind(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}
