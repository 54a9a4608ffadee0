//! The container's lock: flock(2) on its state directory. Held for short, never while waiting for another process.
#![forbid(unsafe_code)]

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "the open file is the lock")] File);

/// For what is done under the lock besides calls of isolators, and some.
const PATIENCE: Duration = Duration::from_secs(30);

impl Lock {
    /// Locks the directory. None when it is not there (any more), be it while waiting.
    ///
    /// # Errors
    /// When it is still locked after 30 s.
    pub fn take(dir: &Path) -> Result<Option<Lock>> {
        Lock::take_within(dir, PATIENCE)
    }

    /// The same for who may have to wait for others' calls of isolators too, `calls` in all.
    ///
    /// # Errors
    /// When it is still locked after that.
    pub fn take_among(dir: &Path, calls: Duration) -> Result<Option<Lock>> {
        Lock::take_within(dir, PATIENCE + calls)
    }

    /// The same for who does not wait as long.
    ///
    /// # Errors
    /// When it is still locked after `patience`.
    pub fn take_within(dir: &Path, patience: Duration) -> Result<Option<Lock>> {
        let file = match File::open(dir) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::path("open", dir)(e)),
        };
        let begin = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begin.elapsed() < patience => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Refused(format!(
                        "{} is still locked by another call after {patience:?}",
                        dir.display()
                    )));
                }
                Err(TryLockError::Error(e)) => return Err(Error::path("lock", dir)(e)),
            }
        }
        // The directory may have been moved away or made anew while we waited.
        let same = |a: fs::Metadata, b: fs::Metadata| a.dev() == b.dev() && a.ino() == b.ino();
        match (file.metadata(), fs::metadata(dir)) {
            (Ok(held), Ok(there)) if same(held.clone(), there.clone()) => Ok(Some(Lock(file))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_directory_that_went_away_meanwhile_is_not_locked() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("c");
        assert!(Lock::take(&dir).unwrap().is_none());
        fs::create_dir(&dir).unwrap();
        let held = Lock::take(&dir).unwrap().unwrap();
        let waiting = std::thread::spawn({
            let dir = dir.clone();
            move || Lock::take(&dir).unwrap().is_none()
        });
        std::thread::sleep(Duration::from_millis(30));
        fs::rename(&dir, base.path().join("moved")).unwrap();
        fs::create_dir(&dir).unwrap();
        drop(held);
        assert!(waiting.join().unwrap());
    }
}
