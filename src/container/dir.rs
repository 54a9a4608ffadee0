//! The state directory of one container that is being prepared or runs.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::atomic;
use super::{ContainerId, EndedDir};
use crate::error::{Error, Result};
use crate::protocol;
use crate::protocol::mesos::Resource;
use crate::protocol::mesos::containerizer::Launch;
use crate::protocol::state::{Checkpoint, Ended, Resources};
use crate::step::step;

/// `live/<id>`: everything that a verb or a successor needs to know about the container.
#[derive(Debug, Clone)]
pub struct ContainerDir {
    path: PathBuf,
    id: ContainerId,
}

/// How far a container got. Each stage has a checkpoint file of its own, and the latest one counts: replacing a file by
/// rename makes ext4 write it out first, which takes longer than all the rest of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The supervisor has laid down the state.
    Launched,
    /// The first process exists.
    Started,
    /// Somebody has taken over from a dead owner.
    Adopted,
}

impl Stage {
    const LATEST_FIRST: [Stage; 3] = [Stage::Adopted, Stage::Started, Stage::Launched];

    const fn file(self) -> &'static str {
        match self {
            Stage::Launched => "checkpoint-1-launched",
            Stage::Started => "checkpoint-2-started",
            Stage::Adopted => "checkpoint-3-adopted",
        }
    }
}

/// Marks: names of empty meaning, each a former checkpoint.
const COMMITTED: &str = "committed";
const DESTROY: &str = "destroy";
const COMMITTED_DESTROY: &str = "committed-destroy";

const STATUS: &str = "status";
/// No process ends with it.
const NOT_ENDED: i32 = -1;

/// What the supervisor lays down before anything is made.
#[derive(Debug)]
pub struct Launched<'a> {
    /// The record's bytes as they came.
    pub record: &'a [u8],
    /// The first checkpoint.
    pub checkpoint: &'a Checkpoint,
}

impl ContainerDir {
    pub(super) fn new(path: PathBuf, id: ContainerId) -> ContainerDir {
        ContainerDir { path, id }
    }

    /// Fills the directory `path`, which nobody knows yet.
    pub(super) fn fill(path: &Path, launched: &Launched<'_>) -> Result<()> {
        use prost::Message;
        atomic::create(&path.join("launch"), launched.record)?;
        atomic::create(&path.join(Stage::Launched.file()), &launched.checkpoint.encode_to_vec())
    }

    /// The container's id.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who looks after the container and how far it got; None when the directory is gone.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        // Between a look for a later stage and one for an earlier, the container may have come to the later and the earlier
        // one have become a mark. There are two such steps, so the third round finds what is there.
        for stage in [Stage::LATEST_FIRST; 3].as_flattened() {
            if let Some(checkpoint) = atomic::read_message(&self.path.join(stage.file()))? {
                return Ok(Some(checkpoint));
            }
        }
        // Directories come and go as a whole, so this one is damaged. Callers that look again and again must not do so for
        // ever.
        match self.path.exists() {
            true => Err(Error::Refused(format!("{} has no checkpoint: recover sets it aside", self.path.display()))),
            false => Ok(None),
        }
    }

    /// Writes the checkpoint of a stage. Only the owner does, or who becomes it under the lock.
    ///
    /// # Errors
    /// When it cannot be written; the old one then stands.
    pub fn write_checkpoint(&self, stage: Stage, checkpoint: &Checkpoint) -> Result<()> {
        atomic::write_message(stage.file(), &self.path.join(stage.file()), checkpoint)
    }

    /// The launch record, decoded.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn launch(&self) -> Result<Launch> {
        let path = self.path.join("launch");
        let bytes =
            atomic::read(&path)?.ok_or_else(|| Error::path("read", &path)(io::Error::from(io::ErrorKind::NotFound)))?;
        Ok(protocol::decode(&bytes)?)
    }

    /// The resources in force: the last update's, before the first one the launch record's.
    ///
    /// # Errors
    /// When neither can be read.
    pub fn resources(&self) -> Result<Vec<Resource>> {
        match atomic::read_message::<Resources>(&self.path.join("resources"))? {
            Some(resources) => Ok(resources.resources),
            None => self.launched_resources(),
        }
    }

    /// Those of the launch record.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn launched_resources(&self) -> Result<Vec<Resource>> {
        Ok(self.launch()?.executor_info.map(|e| e.resources).unwrap_or_default())
    }

    /// Replaces the resources in force, under the lock.
    ///
    /// # Errors
    /// When they cannot be written; the old ones then stand.
    pub fn write_resources(&self, resources: &[Resource]) -> Result<()> {
        let message = Resources { resources: resources.to_vec() };
        atomic::write_message("resources", &self.path.join("resources"), &message)
    }

    /// What an isolator must remember; empty when it left nothing.
    ///
    /// # Errors
    /// When there is something and it cannot be read.
    pub fn facts(&self, isolator: &str) -> Result<Vec<u8>> {
        Ok(atomic::read(&self.facts_path(isolator))?.unwrap_or_default())
    }

    /// Replaces an isolator's facts.
    ///
    /// # Errors
    /// When they cannot be written; the old ones then stand.
    pub fn write_facts(&self, isolator: &str, facts: &[u8]) -> Result<()> {
        atomic::write_of("facts", isolator, &self.facts_path(isolator), facts)
    }

    /// What an isolator has published; None when it has not yet.
    ///
    /// # Errors
    /// When there is something and it cannot be read.
    pub fn figures(&self, isolator: &str) -> Result<Option<Vec<u8>>> {
        atomic::read(&self.figures_path(isolator))
    }

    /// Replaces what an isolator has published.
    ///
    /// # Errors
    /// When it cannot be written; the old figures then stand.
    pub fn write_figures(&self, isolator: &str, figures: &[u8]) -> Result<()> {
        atomic::write_of("figures", isolator, &self.figures_path(isolator), figures)
    }

    fn figures_path(&self, isolator: &str) -> PathBuf {
        self.path.join(format!("figures.{}", isolator.replace('/', "+")))
    }

    fn facts_path(&self, isolator: &str) -> PathBuf {
        // Isolators' names have a slash and never a plus.
        self.path.join(format!("facts.{}", isolator.replace('/', "+")))
    }

    /// Launch says that its caller will be told of success: from now on the container goes on whatever happens to launch.
    ///
    /// # Errors
    /// When the mark cannot be made; the launch then fails.
    pub fn commit(&self) -> Result<()> {
        // The checkpoint of a stage that is past: its new name takes no inode and no room on a full disk.
        let (from, mark) = (self.path.join(Stage::Launched.file()), self.path.join(COMMITTED));
        step("commit", || fs::rename(from, &mark)).map_err(Error::path("make the mark", &mark))
    }

    /// Whether launch has committed.
    pub fn is_committed(&self) -> bool {
        // In the order in which the one becomes the other.
        self.path.join(COMMITTED).exists() || self.path.join(COMMITTED_DESTROY).exists()
    }

    /// Asks the owner to end the container.
    ///
    /// # Errors
    /// When the mark cannot be made; NotFound when the container ended meanwhile.
    pub fn request_destroy(&self) -> Result<()> {
        let path = |name: &str| self.path.join(name);
        step("request destroy", || {
            // Of a committed container by renaming the one mark to the other, which needs no room either.
            let renamed = || fs::rename(path(COMMITTED), path(COMMITTED_DESTROY));
            if self.is_destroy_requested() || renamed().is_ok() {
                return Ok(());
            }
            let Err(e) = fs::hard_link(path(Stage::Launched.file()), path(DESTROY)) else { return Ok(()) };
            if self.is_destroy_requested() {
                return Ok(());
            }
            match renamed() {
                // It has committed in this moment.
                Ok(()) => Ok(()),
                // The reason is that of the one that there is something to be done with.
                Err(why) if path(COMMITTED).exists() => Err(Error::path("make the mark", path(COMMITTED_DESTROY))(why)),
                Err(_) => Err(Error::path("make the mark", path(DESTROY))(e)),
            }
        })
    }

    /// Whether somebody asked for the end.
    pub fn is_destroy_requested(&self) -> bool {
        self.path.join(COMMITTED_DESTROY).exists() || self.path.join(DESTROY).exists()
    }

    /// Says what could not be killed in time (`wait` and `destroy` pass it on).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_left(&self, left: &str) -> Result<()> {
        atomic::write("left", &self.path.join("left"), left.as_bytes())
    }

    /// What could not be killed in time, if the owner is past its deadline.
    pub fn left(&self) -> Option<String> {
        let text = atomic::read(&self.path.join("left")).ok().flatten()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// What [`ContainerDir::log`] appends to.
    pub fn log_path(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Appends a line for whoever looks for the reason of something later.
    pub fn log(&self, line: &str) {
        use std::io::Write;
        let file = atomic::opening().append(true).create(true).open(self.log_path());
        // A log line that cannot be written has no better place to go, and the container matters more.
        let _ = file.and_then(|mut f| f.write_all(format!("{line}\n").as_bytes()));
    }

    /// Makes the file in which process 1 leaves the executor's status, for `--pid1=init`, open for writing. It says "not ended"
    /// by what no status is, and has its full length: a full disk does not lose a status.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_status(&self) -> Result<OwnedFd> {
        let path = self.path.join(STATUS);
        step("make status", || atomic::create(&path, &NOT_ENDED.to_ne_bytes()))?;
        fs::OpenOptions::new().write(true).open(&path).map(OwnedFd::from).map_err(Error::path("open", &path))
    }

    /// The raw wait(2) status of the executor, as the init that was its parent has left it. None: there is no init, or it was
    /// killed before the executor had ended.
    pub fn status(&self) -> Option<i32> {
        // No more than that: a container that may trace its init can make the file as long as it likes.
        let mut bytes = NOT_ENDED.to_ne_bytes();
        atomic::opening().read(true).open(self.path.join(STATUS)).ok()?.read_exact(&mut bytes).ok()?;
        Some(i32::from_ne_bytes(bytes)).filter(|status| *status != NOT_ENDED)
    }

    /// Writes how the container ended and moves it from the live ones to the ended ones, in this order, so that a status
    /// that was known is never lost.
    ///
    /// # Errors
    /// When a file cannot be written or the move fails.
    pub fn finish(&self, ended: &Ended) -> Result<()> {
        atomic::write_message("termination", &self.path.join("termination"), ended)?;
        self.move_to_ended()
    }

    /// Writes what is known of the end before the killing and cleaning up, which may take long.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_outcome(&self, ended: &Ended) -> Result<()> {
        atomic::write_message("outcome", &self.path.join("outcome"), ended)
    }

    /// What a dead owner knew of the end.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn outcome(&self) -> Result<Option<Ended>> {
        atomic::read_message(&self.path.join("outcome"))
    }

    /// The termination record of an owner that died between writing it and moving the directory.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn unfinished(&self) -> Result<Option<Ended>> {
        atomic::read_message(&self.path.join("termination"))
    }

    /// Moves the directory, which has a termination record, to the ended ones.
    ///
    /// # Errors
    /// When an older record of the same id cannot be removed, or the rename fails.
    pub fn move_to_ended(&self) -> Result<()> {
        let target = EndedDir::beside(&self.path, &self.id);
        target.remove()?;
        step("move to ended", || fs::rename(&self.path, target.path()))
            .map_err(Error::path("move to the ended containers", &self.path))?;
        target.keep_the_end_only();
        Ok(())
    }

    /// Forgets the container as if it had never been launched. It goes from sight as a whole, so that nobody meets a
    /// directory that is half deleted.
    ///
    /// # Errors
    /// When it cannot be moved, or files are left.
    pub fn remove(&self) -> Result<()> {
        let scope = self.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        super::scope::remove_whole("forget", scope, &self.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn the_status_file_tells_an_end_from_none() {
        use std::os::unix::fs::FileExt;
        let base = tempfile::tempdir().unwrap();
        let dir = ContainerDir::new(base.path().to_path_buf(), ContainerId::new("c").unwrap());
        assert_eq!(dir.status(), None);
        let file = fs::File::from(dir.make_status().unwrap());
        assert_eq!((dir.status(), file.metadata().unwrap().len()), (None, 4));
        file.write_all_at(&0i32.to_ne_bytes(), 0).unwrap();
        assert_eq!(dir.status(), Some(0));
    }

    #[test]
    fn a_container_that_gets_on_is_never_taken_for_damaged() {
        let base = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint { version: 1, ..Checkpoint::default() };
        for round in 0..1500 {
            let path = base.path().join(round.to_string());
            fs::create_dir(&path).unwrap();
            ContainerDir::fill(&path, &Launched { record: b"", checkpoint: &checkpoint }).unwrap();
            let dir = ContainerDir::new(path, ContainerId::new("c").unwrap());
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        assert!(dir.checkpoint().unwrap().is_some());
                    }
                });
                dir.write_checkpoint(Stage::Started, &checkpoint).unwrap();
                dir.commit().unwrap();
                done.store(true, Ordering::Relaxed);
            });
        }
    }
}
