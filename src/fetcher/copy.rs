//! Copies files of this host into the sandbox.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use super::place::{Sandbox, advice_on_space};
use super::plan::Local;
use super::{FetchError, FileKind};

/// Copies one file; the destination is the whole of it or what it was before. `user` is only for messages: this process
/// already runs as that account, or has root's rights.
pub(super) fn copy(sandbox: &Sandbox, local: &Local, user: Option<&str>) -> Result<(), FetchError> {
    let (mut source, mode) = open_source(local, user)?;
    let mut place = sandbox.place(&local.to)?;
    let path = place.path().to_owned();
    place.file().and_then(|target| io::copy(&mut source, target)).map_err(|error| FetchError::Copy {
        advice: advice_on_space(&error),
        from: local.from.clone(),
        to: path,
        error,
    })?;
    place.finish(mode)
}

/// The file to read, and the mode of its copy.
fn open_source(local: &Local, user: Option<&str>) -> Result<(File, u32), FetchError> {
    let path = local.from.as_path();
    let unreadable =
        |error: io::Error| FetchError::Source { path: path.to_owned(), advice: advice_on_source(user, &error), error };
    // Asked before as well as after opening: to open a device can be an action in itself (a tape, a watchdog).
    let kind = FileKind::of_mode(std::fs::metadata(path).map_err(unreadable)?.mode());
    if kind != FileKind::File {
        return Err(FetchError::SourceKind { path: path.to_owned(), kind });
    }
    // Not blocking, so that a FIFO put there meanwhile cannot hold the launch up.
    let source =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(unreadable)?;
    let mode = source.metadata().map_err(unreadable)?.mode();
    let kind = FileKind::of_mode(mode);
    if kind != FileKind::File {
        return Err(FetchError::SourceKind { path: path.to_owned(), kind });
    }
    // Never more than what the source grants, never writable for others, never setuid or setgid.
    Ok((source, if local.executable { 0o755 } else { mode & 0o755 }))
}

fn advice_on_source(user: Option<&str>, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => match user {
            Some(user) => {
                format!(" (fetched as user {user}, who may not read it; --fetch_as=root fetches with root's rights)")
            }
            None => " (fetched as the account that mesos-ecp runs as, which may not read it)".to_owned(),
        },
        Some(libc::ENOENT) => "; it has to be on this host, for instance on a shared file system".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
