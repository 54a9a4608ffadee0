//! The record of a container that has ended: kept until the agent has surely taken note, answered as often as it is asked.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::ContainerId;
use super::atomic;
use crate::error::Result;
use crate::protocol::state::Ended;
use crate::step::step;

/// The beginnings of the names of files that come from the record or from isolators.
const LIVES_ONLY: [&str; 3] = ["launch", "resources", "facts."];

/// `ended/<id>`.
#[derive(Debug, Clone)]
pub struct EndedDir {
    path: PathBuf,
}

impl EndedDir {
    pub(super) fn new(path: PathBuf) -> EndedDir {
        EndedDir { path }
    }

    /// The place that belongs to the live directory `live/<id>`.
    pub(super) fn beside(live: &Path, id: &ContainerId) -> EndedDir {
        let scope = live.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        EndedDir { path: scope.join("ended").join(id.as_str()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Empties what only a live container needs: the record may be large, and it holds the task's secrets. (Deleting it would
    /// cost the next launches more: ext4 looks for a new inode past all that were deleted in the last seconds.)
    pub(super) fn keep_the_end_only(&self) {
        step("empty", || self.empty());
    }

    fn empty(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if LIVES_ONLY.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
                atomic::empty(&entry.path());
            }
        }
    }

    /// How the container ended; None when there is no such record.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn record(&self) -> Result<Option<Ended>> {
        atomic::read_message(&self.path.join("termination"))
    }

    /// Notes that a wait wrote the record to its stdout in full.
    ///
    /// # Errors
    /// When the mark cannot be made: the record is then listed and answered once more.
    pub fn mark_answered(&self) -> Result<()> {
        step("mark answered", || atomic::create(&self.path.join("answered"), b""))
    }

    /// Notes that the agent asked for the end, after the end: never to be listed again.
    ///
    /// # Errors
    /// When the mark cannot be made.
    pub fn mark_destroyed(&self) -> Result<()> {
        step("mark destroyed", || atomic::create(&self.path.join("destroyed"), b""))
    }

    /// Whether `containers` must list it: the agent may not have the status yet.
    ///
    /// Answered and destroyed ones are not listed, with one exception: answered, and the agent's own record of the run
    /// (`<work_dir>/meta/.../runs/<id>`) is there without `executor.sentinel`, its own mark of a completed run. It then
    /// died after our answer and before it took note.
    pub fn is_listed(&self, work_dir: &Path) -> bool {
        if self.path.join("destroyed").exists() {
            return false;
        }
        let Ok(Some(ended)) = self.record() else {
            return false;
        };
        if ended.destroyed() {
            return false;
        }
        if !self.path.join("answered").exists() {
            return true;
        }
        let Some(run) = ended.meta_run.filter(|run| !run.is_empty()) else {
            return false;
        };
        let run = work_dir.join(run);
        run.is_dir() && !run.join("executor.sentinel").exists()
    }

    /// Whether nobody will ask any more: answered or destroyed longer than `retention` ago, and not to be listed.
    pub fn is_expired(&self, work_dir: &Path, retention: Duration) -> bool {
        let since = |name: &str| {
            let noted = fs::metadata(self.path.join(name)).and_then(|m| m.modified()).ok()?;
            SystemTime::now().duration_since(noted).ok()
        };
        let answered = since("answered").or_else(|| since("destroyed"));
        // A container that destroy ended and no wait asked for: its own record says so.
        let answered = answered.or_else(|| match self.record() {
            Ok(Some(ended)) if ended.destroyed() => since("termination"),
            _ => None,
        });
        answered.is_some_and(|age| age >= retention) && !self.is_listed(work_dir)
    }

    /// Deletes the record. Nothing to delete is fine.
    ///
    /// # Errors
    /// When files are left.
    pub fn remove(&self) -> Result<()> {
        let scope = self.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        super::scope::remove_whole("forget ended", scope, &self.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RUN: &str = "meta/runs/c";

    /// An ended container below `base` with this record and these marks.
    fn ended(base: &Path, destroyed: bool, meta_run: Option<&str>, marks: &[&str]) -> EndedDir {
        let dir = EndedDir::new(base.join("ended"));
        let _ = fs::remove_dir_all(&dir.path);
        fs::create_dir_all(&dir.path).unwrap();
        let record = Ended { destroyed: Some(destroyed), meta_run: meta_run.map(str::to_owned), ..Ended::default() };
        atomic::write_message("termination", &dir.path.join("termination"), &record).unwrap();
        for mark in marks {
            fs::write(dir.path.join(mark), "").unwrap();
        }
        dir
    }

    #[test]
    fn listed_until_the_agent_surely_knows() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        let is_listed = |destroyed, run, marks: &[&str]| ended(base, destroyed, run, marks).is_listed(base);
        assert!(is_listed(false, None, &[]), "not answered");
        assert!(is_listed(false, Some(RUN), &[]), "not answered");
        assert!(!is_listed(false, Some(RUN), &["answered"]), "answered, and the agent keeps no record of the run");
        assert!(!is_listed(true, None, &[]) && !is_listed(false, None, &["destroyed"]), "destroyed");
        fs::create_dir_all(base.join(RUN)).unwrap();
        assert!(is_listed(false, Some(RUN), &["answered"]), "answered and not noted");
        assert!(!is_listed(false, None, &["answered"]) && !is_listed(true, Some(RUN), &[]));
        fs::write(base.join(RUN).join("executor.sentinel"), "").unwrap();
        assert!(!is_listed(false, Some(RUN), &["answered"]), "noted");
    }

    #[test]
    fn expired_when_nobody_will_ask() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        let is_expired = |destroyed, marks: &[&str], retention| {
            ended(base, destroyed, None, marks).is_expired(base, Duration::from_secs(retention))
        };
        assert!(!is_expired(false, &[], 0), "never while it is not answered");
        assert!(is_expired(false, &["answered"], 0) && !is_expired(false, &["answered"], 3600));
        assert!(is_expired(true, &[], 0) && is_expired(false, &["destroyed"], 0) && !is_expired(true, &[], 3600));
    }

    #[test]
    fn what_only_a_live_container_needs_is_emptied() {
        let base = tempfile::tempdir().unwrap();
        let dir = ended(base.path(), false, None, &[]);
        for name in ["launch", "resources", "facts.program+x", "log"] {
            fs::write(dir.path.join(name), "secret").unwrap();
        }
        dir.keep_the_end_only();
        let length = |name: &str| fs::metadata(dir.path.join(name)).unwrap().len();
        assert_eq!(["launch", "resources", "facts.program+x", "log"].map(length), [0, 0, 0, 6]);
        assert!(dir.record().unwrap().is_some());
    }
}
