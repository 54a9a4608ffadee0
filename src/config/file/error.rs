//! What can be wrong with a configuration file.
#![forbid(unsafe_code)]

use std::fmt;

use crate::config::error::did_you_mean;
use crate::config::flags::FLAGS;

/// A place in a text, as editors count: lines and characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Position {
    /// Of the byte at `offset` of `text`; of the last one, if it has fewer.
    pub(super) fn of(text: &str, offset: usize) -> Position {
        let before = text.get(..offset).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Position { line: 1 + before.matches('\n').count(), column: 1 + last.chars().count() }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a configuration file is refused. Its name stands before each message, see
/// [`ConfigError::File`](crate::config::ConfigError::File).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It was asked for and is not there.
    #[error(": there is no such file, and {setting} names it; make it, or name another one (none: no file is read)")]
    Missing {
        /// What names it, as the operator wrote it.
        setting: String,
    },
    /// It cannot be opened or read.
    #[error(": cannot {operation} it: {reason}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The system's answer.
        reason: String,
    },
    /// A FIFO, a directory, a device.
    #[error(": it is {kind}, and only a regular file is read")]
    NotRegular {
        /// What it is, with its article.
        kind: &'static str,
    },
    /// Somebody else's.
    #[error(
        ": it belongs to uid {owner}, who could steer this program by it; it must belong to root or to the caller (uid {caller})"
    )]
    Owner {
        /// Whose it is.
        owner: u32,
        /// Who this process runs as.
        caller: u32,
    },
    /// Others may write to it.
    #[error(": its mode is {mode:04o}: who is not its owner may write to it and so steer this program; chmod go-w it")]
    Writable {
        /// Its permission bits.
        mode: u32,
    },
    /// More than settings can take.
    #[error(": it has more than {limit} bytes, which no file of settings needs")]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// Not text.
    #[error(":{line}: not valid UTF-8, which TOML is")]
    NotUtf8 {
        /// The line of the first such byte.
        line: usize,
    },
    /// Not TOML.
    #[error(":{at}: no valid TOML: {reason}")]
    Syntax {
        /// Where.
        at: Position,
        /// What the parser says.
        reason: String,
    },
    /// A key that is no flag.
    #[error(":{at}: unknown key {key}{}; known are {}", did_you_mean(*.closest, ""), known_keys())]
    UnknownKey {
        /// Where.
        at: Position,
        /// The key, quoted where TOML needs it.
        key: String,
        /// The flag of nearly the same name.
        closest: Option<&'static str>,
    },
    /// A flag that only makes sense on the command line.
    #[error(":{at}: {name} cannot stand in the file; put it on the command line, {usage}")]
    NotInFile {
        /// Where.
        at: Position,
        /// The flag's name.
        name: &'static str,
        /// How it is written there.
        usage: String,
    },
    /// `[name]`, `name = {...}` or `name.other = ...`.
    #[error(":{at}: {key} is a table; the file has none, every key stands by itself: NAME = VALUE")]
    Table {
        /// Where.
        at: Position,
        /// The table's name, quoted where TOML needs it.
        key: String,
    },
    /// A value of the wrong type.
    #[error(":{at}: {name} is {found}, and {wanted} is wanted: {name} = {example}")]
    Type {
        /// Where.
        at: Position,
        /// The flag's name.
        name: &'static str,
        /// What was found, with its article.
        found: &'static str,
        /// What was wanted, with its article.
        wanted: &'static str,
        /// A value that can stand there.
        example: String,
    },
    /// A value of nothing.
    #[error(":{at}: {name} has no value; leave the line out for the default")]
    Empty {
        /// Where.
        at: Position,
        /// The flag's name.
        name: &'static str,
    },
    /// A null character, or a comma within one name of an array.
    #[error(":{at}: {name} has {what} in it")]
    Character {
        /// Where.
        at: Position,
        /// The flag's name.
        name: &'static str,
        /// What is wrong there.
        what: &'static str,
    },
}

fn known_keys() -> String {
    FLAGS.iter().filter(|flag| flag.in_file()).map(|flag| flag.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_are_counted_from_one() {
        let text = "ab\n\n\u{e4}\u{f6}c\n";
        let place = |offset| Position::of(text, offset).to_string();
        assert_eq!((place(0), place(1), place(2)), ("1:1".into(), "1:2".into(), "1:3".into()));
        assert_eq!((place(3), place(4), place(8)), ("2:1".into(), "3:1".into(), "3:3".into()));
        assert_eq!((place(10), place(99)), ("4:1".into(), "4:1".into()));
    }
}
