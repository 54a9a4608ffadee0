//! Why fetching failed, in words for the framework's author.
#![forbid(unsafe_code)]

use std::io;

use mesos_ecp::fetcher::FetchError;

use crate::extract::ExtractError;

/// The reason of a failure. No text holds a password of a URL.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What came on standard input is nothing that this program understands.
    #[error("the request on standard input cannot be read ({0}): this program is started by mesos-ecp only")]
    Request(String),
    /// A download.
    #[error(transparent)]
    Download(#[from] Download),
    /// A file or directory in the sandbox.
    #[error(transparent)]
    Place(#[from] FetchError),
    /// An archive.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Reading or writing what was downloaded.
    #[error("cannot {action} {path}: {error}{advice}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// Why not.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: String,
    },
}

/// A download that failed.
#[derive(Debug, thiserror::Error)]
pub enum Download {
    /// The URL itself.
    #[error("cannot fetch {url}: {reason}")]
    Url {
        /// Without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection or the server's answer.
    #[error("cannot fetch {url}: {reason}")]
    Transport {
        /// Without a password.
        url: String,
        /// In words.
        reason: String,
        /// Whether it may go better soon.
        passing: bool,
    },
    /// An answer that is no file.
    #[error("cannot fetch {url}: the server answered {code} {reason}{advice}")]
    Status {
        /// Without a password; the last one, after redirects.
        url: String,
        /// Of the answer.
        code: u16,
        /// The code in words.
        reason: &'static str,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: &'static str,
    },
    /// More than `--fetcher_size_limit`.
    #[error("cannot fetch {url}: it has {size} bytes, and --fetcher_size_limit is {limit}")]
    TooLarge {
        /// Without a password.
        url: String,
        /// In bytes, or "more".
        size: String,
        /// In bytes.
        limit: u64,
    },
    /// What came cannot be written.
    #[error("cannot write what comes from {url}: {error}{}", mesos_ecp::fetcher::advice_on_space(.error))]
    Write {
        /// Without a password.
        url: String,
        /// Why not.
        error: io::Error,
    },
}

impl Download {
    /// Whether to try once more after a while.
    pub fn is_passing(&self) -> bool {
        match self {
            Download::Transport { passing, .. } => *passing,
            Download::Status { code, .. } => matches!(code, 502..=504),
            _ => false,
        }
    }
}
