//! Extracts archives into a sandbox that others may write to while it is done.
//!
//! Nothing is written, linked, changed or deleted outside of the sandbox (`tree.rs`, `beneath.rs`), whatever the
//! archive and the sandbox hold. Otherwise what is done is what operators know of `tar -xf`, `unzip -o` and `gzip
//! -dc`: members replace files, directories merge, modes (as with umask 022) and times of files and of directories
//! that are made are kept, symbolic and hard links too. Not kept: owners, setuid, setgid and sticky bits, extended
//! attributes, times of links. Devices, FIFOs and names with `..` are refused, and so are members that would be the
//! container's stdout or stderr.
#![forbid(unsafe_code)]

mod beneath;
mod budget;
mod decode;
mod error;
mod made;
mod output;
mod path;
mod rights;
mod tar;
mod temporary;
mod tree;
mod zip;

use std::fs::File;
use std::io::Seek;
use std::os::fd::AsFd;

use mesos_ecp::fetcher::is_archive;
use nix::unistd::{Gid, Uid};

pub use budget::Limits;
pub use error::ExtractError;

use budget::Budget;
use error::{Failure, Report};
use path::MemberPath;
use rights::AsOwner;
use tree::{Attributes, Tree};

/// How an archive is extracted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A tar archive, which may be compressed.
    Tar,
    /// One file, compressed with gzip.
    Gzip,
    /// A zip archive.
    Zip,
}

impl Kind {
    /// By the suffix of its name; `None` if that is not one of an archive's.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if !is_archive(name) {
            None
        } else if name.ends_with(".zip") {
            Some(Self::Zip)
        } else if name.ends_with(".gz") && !name.ends_with(".tar.gz") {
            Some(Self::Gzip)
        } else {
            Some(Self::Tar)
        }
    }
}

/// Extracts a regular file, from its beginning, into the directory that is open as `sandbox`.
///
/// `name` is the archive's own, without directories: for messages, and of a `.gz` for the file that is made. With
/// `owner` all is done with the rights of that user and group and belongs to them, for which this has to be root; else
/// with those of this process.
///
/// # Errors
/// The first thing that cannot be extracted, an archive that is damaged or not complete, a limit. Files that were
/// extracted before stay, a file that was under way does not.
pub fn extract(
    archive: &File,
    kind: Kind,
    name: &str,
    sandbox: &impl AsFd,
    owner: Option<(Uid, Gid)>,
    limits: &Limits,
) -> Result<(), ExtractError> {
    extract_with(archive, kind, name, sandbox, owner, limits, true)
}

/// The same, without openat2(2) if that is false: for tests of what is done then.
///
/// # Errors
/// As [`extract`].
pub fn extract_with(
    mut archive: &File,
    kind: Kind,
    name: &str,
    sandbox: &impl AsFd,
    owner: Option<(Uid, Gid)>,
    limits: &Limits,
    openat2: bool,
) -> Result<(), ExtractError> {
    let report = Report { archive: name, limits };
    let mut budget = Budget::new(limits);
    let _rights = owner
        .map(AsOwner::new)
        .transpose()
        .map_err(|error| report.member(b".", Failure::Write("act as the sandbox's owner", error)))?;
    let mut tree = Tree::new(sandbox.as_fd(), openat2)
        .map_err(|errno| report.member(b".", Failure::Write("enter the sandbox", errno.into())))?;
    archive.rewind().map_err(|error| report.archive(error))?;
    let extracted = match kind {
        Kind::Tar => decode::plain(archive)
            .map_err(|error| report.archive(error))
            .and_then(|stream| tar::extract(stream, &mut tree, &mut budget, &report)),
        Kind::Gzip => {
            gunzip(archive, name, &mut tree, &mut budget).map_err(|failure| report.member(name.as_bytes(), failure))
        }
        Kind::Zip => zip::extract(archive, &mut tree, &mut budget, &report),
    };
    // Also of what stays after a failure.
    let finished = tree.finish().map_err(|(directory, failure)| report.member(&directory, failure));
    extracted.and(finished)
}

/// As `gzip -dc NAME.gz > NAME`: the mode and the time are those of a file that was just made.
fn gunzip(archive: &File, name: &str, tree: &mut Tree<'_>, budget: &mut Budget) -> Result<(), Failure> {
    let path = MemberPath::parse(name.strip_suffix(".gz").unwrap_or(name).as_bytes())?;
    let attributes = Attributes { mode: 0o644, modified: None };
    tree.file(&path, attributes, |output| output.copy(&mut decode::gunzip(archive), budget).map(drop))
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
