//! Removing a cgroup with all that was made below it.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::kill::{kill_listed, left};
use super::walk::walk;
use super::{Cgroup, pids};
use crate::error::{Error, Result};

/// The kernel answers EBUSY for a moment after the last process has ended.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Removes the cgroup at `path` and all below it, deepest first. That it is not there is fine. Processes that are found in it
/// (they left the cgroup by which the container is killed, but not this one) are killed.
///
/// # Errors
/// What is still in the way at the deadline.
pub fn remove(path: &Path, deadline: Instant) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        let Err((at, error)) = remove_once(path) else {
            return Ok(());
        };
        if error.kind() != ErrorKind::ResourceBusy || Instant::now() >= deadline {
            let inside = Cgroup::open(&at).and_then(|cgroup| left(&cgroup)).unwrap_or_default();
            let error = Error::path("remove the cgroup", &at)(error);
            return Err(match inside.is_empty() {
                true => error,
                false => Error::Refused(format!("{error}: pids {inside:?} are in it")),
            });
        }
        if let Ok(cgroup) = Cgroup::open(path)
            && !pids(&cgroup).is_empty()
        {
            kill_listed(&cgroup, false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn remove_once(path: &Path) -> std::result::Result<(), (PathBuf, io::Error)> {
    let failed = |error: io::Error| (path.to_path_buf(), error);
    match gone(fs::remove_dir(path)) {
        Err(e) if e.kind() == ErrorKind::ResourceBusy || e.kind() == ErrorKind::DirectoryNotEmpty => {}
        done => return done.map_err(failed),
    }
    let cgroup = match Cgroup::open(path) {
        Err(e) if e.is_not_found() => return Ok(()),
        Err(e) => return Err(failed(e.io().map_or_else(|| ErrorKind::Other.into(), copy))),
        Ok(cgroup) => cgroup,
    };
    let mut first = None;
    let walked = walk(
        &cgroup,
        |_| Ok(()),
        |above, name| {
            if let Err(e) = gone(above.remove_child(name)) {
                first.get_or_insert((above.path().join(name), e));
            }
        },
    );
    if let Some(first) = first {
        return Err(first);
    }
    walked.map_err(|e| failed(e.io().map_or_else(|| ErrorKind::Other.into(), copy)))?;
    gone(fs::remove_dir(path)).map_err(failed)
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// That it is not there is what was wanted.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}
