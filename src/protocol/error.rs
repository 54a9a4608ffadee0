//! What can be wrong with a record.
#![forbid(unsafe_code)]

use std::io;

/// Why a record could not be read, written or understood.
///
/// The message of the underlying error, where there is one, is in [`source`](std::error::Error::source) and not
/// repeated here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The input failed, other than by ending.
    #[error("cannot read the record")]
    Read(#[source] io::Error),

    /// The output failed; how much of the record went out is unknown.
    #[error("cannot write the record")]
    Write(#[source] io::Error),

    /// Nothing of the message was read, nor memory set aside for it.
    #[error("a record of {length} bytes is above the limit of {limit} bytes")]
    TooLong {
        /// Bytes of the message, without the four of the length.
        length: u64,
        /// The most that is accepted, in bytes.
        limit: u64,
    },

    /// The input ended within the four bytes of the length, or before them.
    #[error("the input ended after {got} of the 4 bytes of the record's length")]
    NoLength {
        /// Bytes that came.
        got: u64,
    },

    /// The input ended within the message.
    #[error("the input ended after {got} of the record's {length} bytes")]
    Truncated {
        /// Bytes of the message that came, without the four of the length.
        got: u64,
        /// Bytes of the message that were promised.
        length: u64,
    },

    /// The bytes are not protobuf.
    #[error("{message}: {reason}, at byte {offset}{}", within(path))]
    Malformed {
        /// Full name of the message.
        message: &'static str,
        /// Bytes from the start of the message, the four of the length not counted.
        offset: usize,
        /// The fields that lead to the place, as `task_info.resources[1]`; empty at the top.
        path: String,
        /// What is wrong there.
        reason: &'static str,
    },

    /// A field without which the message means nothing. Agents never leave one out.
    #[error("{message}: required field {path} is missing")]
    Missing {
        /// Full name of the message.
        message: &'static str,
        /// The field and those that lead to it, as `executor_info.command`.
        path: String,
    },

    /// Well-formed protobuf, but not of this message: a field of another type, text that is not UTF-8.
    #[error("{message}: not a message of this type")]
    Mismatch {
        /// Full name of the message.
        message: &'static str,
        /// Names the field.
        source: prost::DecodeError,
    },
}

fn within(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" (within {path})") }
}
