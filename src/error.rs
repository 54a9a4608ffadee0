//! The library's one error type: what was tried, on what, and why it failed.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::fetcher::FetchError;
use crate::protocol::RecordError;
use crate::protocol::json::JsonError;
use crate::seccomp::ProfileError;

/// Shorthand for results of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something failed. Every variant's text names the operation, its object and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation on a file or directory failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Path {
        /// What was tried, as the words after "cannot".
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel did not take a value for a control file.
    #[error("cannot write \"{value}\" to {}: {source}", path.display())]
    Control {
        /// The control file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A system call without a path failed.
    #[error("cannot {operation}: {source}")]
    System {
        /// What was tried, as the words after "cannot".
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel's networking did not do what a request over netlink asks.
    #[error("cannot {operation} {object}: {source}{}", in_brackets(.detail))]
    Netlink {
        /// What was tried, as the words after "cannot".
        operation: &'static str,
        /// On which link, and what there.
        object: String,
        /// The kernel's answer.
        source: io::Error,
        /// The same in the kernel's own words, where it has some.
        detail: Option<String>,
    },
    /// A record on stdin, stdout or in the state directory is bad.
    #[error("{}", with_causes(.0))]
    Record(#[from] RecordError),
    /// A message in JSON on stdin is bad.
    #[error("{}", with_causes(.0))]
    Json(Box<JsonError>),
    /// A flag or setting is bad.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A URI of the command could not be fetched.
    #[error("{}", with_causes(.0))]
    Fetch(#[from] FetchError),
    /// A profile of system calls cannot be used.
    #[error("seccomp profile {name}: {source}")]
    Profile {
        /// Its path, or what stands for it.
        name: String,
        /// What is wrong, and where.
        source: ProfileError,
    },
    /// The record asks for something that this program does not do (yet): nothing was started.
    #[error("{what} is not supported yet: {advice}")]
    Unsupported {
        /// What was asked for, with the record's field.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The record, the host or the state does not allow the call.
    #[error("{0}")]
    Refused(String),
    /// A step in the container's first process failed before the command ran.
    #[error("cannot {step} {subject}: {source}")]
    Child {
        /// What the child was about, as the words after "cannot".
        step: &'static str,
        /// Program, directory or account concerned.
        subject: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The container's command could not be executed.
    #[error("cannot execute {program}: {source}")]
    NotExecuted {
        /// The program as the record has it.
        program: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A call of an isolator failed.
    #[error("isolator {isolator}: {call}: {source}")]
    Isolator {
        /// The isolator's name as in `--isolation`.
        isolator: String,
        /// The call of the trait.
        call: &'static str,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The call was called off by another one, or because who made it is gone.
    #[error("cancelled: {0}")]
    Cancelled(&'static str),
    /// Processes are left that could not be killed in time.
    #[error("{left}")]
    Left {
        /// Which ones, and for how long it was tried.
        left: String,
    },
    /// What the supervisor said when the launch failed; its own text is complete.
    #[error("{0}")]
    Supervisor(String),
    /// What the supervisor said when it could not execute the command.
    #[error("{text}")]
    SupervisorNotExecuted {
        /// Its own text, complete.
        text: String,
        /// Whether there is such a program.
        found: bool,
    },
}

/// After an error's text.
fn in_brackets(detail: &Option<String>) -> String {
    detail.as_ref().map_or_else(String::new, |detail| format!(" ({detail})"))
}

/// Error texts of the lower rooms leave their cause to `source`.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Error {
        Error::Json(Box::new(error))
    }
}

impl Error {
    /// For everything that the others are not for: what was asked for, why it cannot be, and what to do, in one line without a
    /// full stop.
    pub fn refused(why: impl Into<String>) -> Error {
        Error::Refused(why.into())
    }

    /// For `map_err` after a call on a path. `operation` is what was tried, as the words after "cannot".
    pub fn path(operation: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Path { operation, path: path.as_ref().to_path_buf(), source }
    }

    /// For `map_err` after a call without a path. Takes what nix and std return. `operation` is what was tried, as the words
    /// after "cannot".
    pub fn system<E: Into<io::Error>>(operation: &'static str) -> impl FnOnce(E) -> Error {
        move |source| Error::System { operation, source: source.into() }
    }

    /// The kernel's answer, where there is one.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Error::Path { source, .. }
            | Error::Control { source, .. }
            | Error::System { source, .. }
            | Error::Netlink { source, .. }
            | Error::Child { source, .. }
            | Error::NotExecuted { source, .. } => Some(source),
            Error::Isolator { source, .. } => source.io(),
            _ => None,
        }
    }

    /// The kernel's number for it, where there is one.
    pub fn errno(&self) -> Option<i32> {
        self.io().and_then(io::Error::raw_os_error)
    }

    /// Whether the host was short of something for the moment (descriptors, memory), so that a later try may do.
    pub fn is_shortage(&self) -> bool {
        self.is_one_of(&[libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN])
    }

    /// Whether what could not be read may be read by a later try: state is not given up for a disk that fails for a moment.
    pub fn may_pass(&self) -> bool {
        self.is_shortage() || self.is_one_of(&[libc::EIO, libc::ESTALE])
    }

    fn is_one_of(&self, known: &[i32]) -> bool {
        self.io().and_then(io::Error::raw_os_error).is_some_and(|errno| known.contains(&errno))
    }

    /// Of a launch whose command could not be executed: whether there is such a program. None: it failed otherwise.
    pub fn not_executed(&self) -> Option<bool> {
        match self {
            Error::NotExecuted { source, .. } => Some(source.kind() != io::ErrorKind::NotFound),
            Error::SupervisorNotExecuted { found, .. } => Some(*found),
            _ => None,
        }
    }

    /// Whether the file or directory was not there.
    pub fn is_not_found(&self) -> bool {
        self.io().is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_error_names_operation_path_and_cause() {
        let e = std::fs::read("/nonexistent/x").map_err(Error::path("read", "/nonexistent/x")).unwrap_err();
        assert_eq!(e.to_string(), "cannot read /nonexistent/x: No such file or directory (os error 2)");
        assert!(e.is_not_found());
    }
}
