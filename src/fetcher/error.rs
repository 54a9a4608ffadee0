//! Why a fetch was refused or failed.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// A failed fetch. Each message says what failed, on what, why, and what can be done; it goes to the sandbox's
/// stderr, where the framework's author reads it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A URI without a single character.
    #[error("URI number {number} of the command is empty: give it a value or leave it out")]
    EmptyUri {
        /// Counted from 1.
        number: usize,
    },
    /// A NUL byte, which no path and no environment variable can hold.
    #[error("cannot fetch {uri:?}: it, or its output_file, holds a NUL byte")]
    Nul {
        /// The URI.
        uri: String,
    },
    /// Nothing in the URI could become a file's name.
    #[error(
        "cannot fetch {uri:?}: it does not end in a file's name to store it by; name a file, or set output_file (Mesos 1.0)"
    )]
    NoFileName {
        /// The URI.
        uri: String,
    },
    /// An output_file that is not a plain relative path.
    #[error("cannot fetch {uri:?} to output_file {output_file:?}: {reason}; give a path below the sandbox")]
    OutputFile {
        /// The URI.
        uri: String,
        /// The field's value.
        output_file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A component longer than Linux's 255 bytes.
    #[error("cannot fetch {uri:?}: the name to store it by has {bytes} bytes, and a file's name has at most 255")]
    NameTooLong {
        /// The URI.
        uri: String,
        /// The length of the name.
        bytes: usize,
    },
    /// The names of the files that hold the container's output.
    #[error("cannot fetch {uri:?} to {name:?}: the container's own {name} is written there; store it by another name")]
    OutputOfContainer {
        /// The URI.
        uri: String,
        /// `stdout` or `stderr`.
        name: String,
    },
    /// `file://host/...`, where the host is not this one.
    #[error(
        "cannot fetch {uri:?}: a file URI names a file of this host, as file:///path or file://localhost/path, not of {host:?}"
    )]
    OtherHost {
        /// The URI.
        uri: String,
        /// What stands between `file://` and the next slash.
        host: String,
    },
    /// A relative path, and nothing that it could be relative to.
    #[error("cannot fetch {uri:?}: it is a relative path; set --frameworks_home to the directory it is relative to")]
    NoFrameworksHome {
        /// The URI.
        uri: String,
    },
    /// A path that has to be absolute, or text, and is not.
    #[error("cannot fetch {uri:?}: {what} is {path:?}, which is not {expected}")]
    BadPath {
        /// The URI.
        uri: String,
        /// Which of our settings it is.
        what: &'static str,
        /// Its value.
        path: PathBuf,
        /// What it ought to be.
        expected: &'static str,
    },
    /// `mesos-fetcher` is needed, but nobody said where it is.
    #[error(
        "cannot fetch {uri:?}: this takes mesos-fetcher, which is looked for in $MESOS_LIBEXEC_DIRECTORY or --launcher_dir, and neither is set"
    )]
    NoFetcher {
        /// The URI.
        uri: String,
    },
    /// The same, for what our own program fetches where it is installed.
    #[error(
        "cannot fetch {uri:?}: this takes mesos-ecp-fetch, which is not installed beside mesos-ecp, or mesos-fetcher, which is looked for in $MESOS_LIBEXEC_DIRECTORY or --launcher_dir, and neither is set; install mesos-ecp-fetch beside mesos-ecp"
    )]
    NoOwnFetcher {
        /// The URI.
        uri: String,
    },
    /// Characters that every release of `mesos-fetcher` refuses.
    #[error("cannot fetch {uri:?}: mesos-fetcher takes no backslash and no single quote in a URI; rename the file")]
    FetcherRefuses {
        /// The URI.
        uri: String,
    },
    /// The sandbox cannot be entered.
    #[error("cannot fetch into the sandbox {}: {error}", path.display())]
    Sandbox {
        /// The sandbox.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file to be copied cannot be opened.
    #[error("cannot read {}: {error}{advice}", path.display())]
    Source {
        /// The file to be copied.
        path: PathBuf,
        /// Why.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: String,
    },
    /// The file to be copied is not a regular file.
    #[error("cannot fetch {}: it is {kind}, and only regular files are fetched", path.display())]
    SourceKind {
        /// The file to be copied.
        path: PathBuf,
        /// What it is.
        kind: FileKind,
    },
    /// The destination, or a directory on the way to it, cannot be made.
    #[error("cannot {action} {}: {error}{advice}", path.display())]
    Destination {
        /// The step that failed.
        action: &'static str,
        /// The file or directory in the sandbox.
        path: PathBuf,
        /// Why.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: String,
    },
    /// Something stands at the destination, or on the way to it, that is never followed nor replaced.
    #[error("cannot store a fetched file at {}: there is {kind} already; store it by another name", path.display())]
    DestinationKind {
        /// The file or directory in the sandbox.
        path: PathBuf,
        /// What it is.
        kind: FileKind,
    },
    /// Reading or writing broke off.
    #[error("cannot copy {} to {}: {error}{advice}", from.display(), to.display())]
    Copy {
        /// The file read.
        from: PathBuf,
        /// The file in the sandbox that it would have become.
        to: PathBuf,
        /// Why.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: String,
    },
    /// `mesos-fetcher` or `mesos-ecp-fetch` could not be started.
    #[error("cannot start {} to fetch {uris}: {error}{advice}", program.display())]
    Start {
        /// The program's path.
        program: PathBuf,
        /// What it was to fetch.
        uris: String,
        /// Why.
        error: io::Error,
        /// What to do, with the punctuation that joins it to the message; or nothing.
        advice: String,
    },
    /// `mesos-ecp-fetch` has failed and reported the reason itself.
    #[error("")]
    Reported,
    /// `mesos-ecp-fetch` was killed or crashed.
    #[error("{} did not fetch {uris}: {status}; what it said is in the sandbox's stderr", program.display())]
    Died {
        /// The program's path.
        program: PathBuf,
        /// What it was to fetch.
        uris: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// `mesos-fetcher` ran and failed.
    #[error("{} did not fetch {uris}: {status}; it says why in the sandbox's stderr", program.display())]
    Failed {
        /// The program's path.
        program: PathBuf,
        /// What it was to fetch.
        uris: String,
        /// How it ended.
        status: ExitStatus,
    },
}

/// What a path turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// Whatever else there may be.
    Other,
}

impl FileKind {
    /// The kind in the `st_mode` of stat(2).
    #[must_use]
    pub fn of_mode(st_mode: libc::mode_t) -> Self {
        match st_mode & libc::S_IFMT {
            libc::S_IFREG => Self::File,
            libc::S_IFDIR => Self::Directory,
            libc::S_IFLNK => Self::Symlink,
            libc::S_IFIFO => Self::Fifo,
            libc::S_IFSOCK => Self::Socket,
            libc::S_IFCHR | libc::S_IFBLK => Self::Device,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Fifo => "a FIFO (named pipe)",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "something that is no file",
        })
    }
}
