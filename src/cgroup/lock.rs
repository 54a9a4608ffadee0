//! An exclusive flock(2) that is waited for, but not for ever.
#![forbid(unsafe_code)]

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Whoever has such a lock lets go of it after some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Locks an open file or directory until it is closed; `path` is for the error.
///
/// # Errors
/// When somebody else still has the lock after 30 s.
pub fn lock(file: &File, path: &Path) -> Result<()> {
    lock_within(file, path, PATIENCE)
}

fn lock_within(file: &File, path: &Path, patience: Duration) -> Result<()> {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begin.elapsed() < patience => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Refused(format!("{} is still locked after {patience:?}", path.display())));
            }
            Err(TryLockError::Error(e)) => return Err(Error::path("lock", path)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lock_is_had_by_one_until_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::open(dir.path()).unwrap();
        let held = open();
        lock(&held, dir.path()).unwrap();
        let error = lock_within(&open(), dir.path(), Duration::from_millis(5)).unwrap_err().to_string();
        assert!(error.contains(dir.path().to_str().unwrap()) && error.contains("still locked"), "{error}");
        let waiting = std::thread::spawn({
            let (file, path) = (open(), dir.path().to_path_buf());
            move || lock(&file, &path).is_ok()
        });
        std::thread::sleep(Duration::from_millis(5));
        drop(held);
        assert!(waiting.join().unwrap());
    }
}
