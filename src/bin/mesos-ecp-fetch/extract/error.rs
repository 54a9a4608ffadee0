//! Why an archive was not extracted.
#![forbid(unsafe_code)]

use std::io;

use mesos_ecp::fetcher::FileKind;

/// A failed extraction. What was extracted before stays in the sandbox. Each message says on what it failed, why, and
/// what can be done; it goes to the sandbox's stderr, where the framework's author reads it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The archive cannot be read, or is not what its name says, or is damaged.
    #[error("cannot extract {archive:?}: {error}{advice}")]
    Archive {
        /// The archive's name.
        archive: String,
        /// Why.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: &'static str,
    },
    /// A member that is not extracted, whatever the sandbox looks like.
    #[error("cannot extract {archive:?}: its member {member:?} {reason}")]
    Member {
        /// The archive's name.
        archive: String,
        /// The member's name, as far as it is text.
        member: String,
        /// What is wrong with it: a verb and what follows.
        reason: String,
    },
    /// More bytes than may be written.
    #[error(
        "cannot extract {archive:?}: with its member {member:?} it gives more than {limit} bytes, which is the limit \
         (--fetcher_size_limit)"
    )]
    Bytes {
        /// The archive's name.
        archive: String,
        /// The member at which the limit was reached.
        member: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// More members than may be made.
    #[error("cannot extract {archive:?}: it has more than {limit} members, which is the limit")]
    Entries {
        /// The archive's name.
        archive: String,
        /// The limit.
        limit: u64,
    },
    /// Something stands in the sandbox that is not replaced.
    #[error("cannot extract the member {member:?} of {archive:?}: there is {kind} already")]
    InTheWay {
        /// The archive's name.
        archive: String,
        /// The member's name, as far as it is text.
        member: String,
        /// What is there.
        kind: FileKind,
    },
    /// The sandbox did not take it.
    #[error("cannot extract the member {member:?} of {archive:?}: cannot {action}: {error}{advice}")]
    Write {
        /// The archive's name.
        archive: String,
        /// The member's name, as far as it is text.
        member: String,
        /// The step that failed.
        action: &'static str,
        /// Why.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: &'static str,
    },
}

/// Why one member was not extracted. [`Report`] adds the names.
#[derive(Debug)]
pub(super) enum Failure {
    /// The archive could not be read on.
    Read(io::Error),
    Refused(String),
    Bytes,
    InTheWay(FileKind),
    Write(&'static str, io::Error),
}

impl Failure {
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    /// For `map_err` of a system call that writes.
    pub(super) fn write<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Write(action, error.into())
    }
}

/// Makes errors of failures: it knows the archive's name and the limits.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) archive: &'a str,
    pub(super) limits: &'a super::Limits,
}

impl Report<'_> {
    /// The archive as a whole could not be read.
    pub(super) fn archive(&self, error: io::Error) -> ExtractError {
        let advice = match error.kind() {
            io::ErrorKind::UnexpectedEof => "; the archive is not complete: make it or store it anew",
            _ => "",
        };
        ExtractError::Archive { archive: self.archive.to_owned(), error, advice }
    }

    /// It was read, and is not what it should be.
    pub(super) fn malformed(&self, reason: impl Into<String>) -> ExtractError {
        self.archive(io::Error::new(io::ErrorKind::InvalidData, reason.into()))
    }

    /// Something about one member.
    pub(super) fn member(&self, member: &[u8], failure: Failure) -> ExtractError {
        let (archive, member) = (self.archive.to_owned(), String::from_utf8_lossy(member).into_owned());
        match failure {
            Failure::Read(error) => self.archive(error),
            Failure::Refused(reason) => ExtractError::Member { archive, member, reason },
            Failure::Bytes => ExtractError::Bytes { archive, member, limit: self.limits.bytes },
            Failure::InTheWay(kind) => ExtractError::InTheWay { archive, member, kind },
            Failure::Write(action, error) => {
                ExtractError::Write { archive, member, action, advice: advice(&error), error }
            }
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "; make room on the agent's work_dir",
        Some(libc::EDQUOT) => "; the quota of the sandbox is used up: ask for more disk",
        Some(libc::EFBIG) => "; the file is larger than the file system or a resource limit allows",
        Some(libc::EXDEV | libc::ELOOP) => {
            "; a symbolic link on its way leads out of the sandbox or nowhere, and is not followed"
        }
        _ => "",
    }
}
