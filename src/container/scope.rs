//! Where the state is: `<runtime_dir>/<hash of the canonical work_dir>/<boot id>/{live,ended}/<container id>`.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{ContainerDir, ContainerId, EndedDir, Launched, atomic};
use crate::error::{Error, Result};
use crate::proc::Proc;
use crate::step::step;

/// Between two sweeps by launches.
const OFTEN_ENOUGH: Duration = Duration::from_secs(60);

/// The state of one agent (one work_dir) since this boot. Two agents never see each other's.
#[derive(Debug, Clone)]
pub struct Scope {
    agent: PathBuf,
    base: PathBuf,
    work_dir: PathBuf,
}

impl Scope {
    /// Opens (and makes, where missing) the state of the agent with this work_dir.
    ///
    /// # Errors
    /// When runtime_dir belongs to somebody else or others may write to it (they could make us kill what they like), or
    /// something cannot be made.
    pub fn open(runtime_dir: &Path, work_dir: &Path, boot_id: &str) -> Result<Scope> {
        let work_dir = canonical(work_dir)?;
        let agent = runtime_dir.join(hash(&work_dir));
        let base = agent.join(boot_id);
        // The usual case costs two calls: all is there.
        if !base.join("ended").is_dir() {
            step("make state directory", || make_private(runtime_dir))?;
            for dir in [&agent, &base, &base.join("live"), &base.join("ended")] {
                clear_way(dir)?;
                step("make state directory", || make_private(dir))?;
            }
        }
        check_private(runtime_dir)?;
        Ok(Scope { agent, base, work_dir })
    }

    /// The same for who only looks: where nothing is and nothing can be made, there are no containers. Then also why.
    ///
    /// # Errors
    /// When there is something that cannot be used.
    pub fn look(runtime_dir: &Path, work_dir: &Path, boot_id: &str) -> Result<(Scope, Option<Error>)> {
        match Scope::open(runtime_dir, work_dir, boot_id) {
            Ok(scope) => Ok((scope, None)),
            Err(e) if e.io().is_none() => Err(e),
            Err(e) => {
                let work_dir = canonical(work_dir)?;
                let agent = runtime_dir.join(hash(&work_dir));
                let base = agent.join(boot_id);
                let is_absent = |found: io::Error| found.kind() == ErrorKind::NotFound;
                if fs::symlink_metadata(base.join("live")).is_err_and(is_absent) {
                    return Ok((Scope { agent, base, work_dir }, Some(e)));
                }
                Err(e)
            }
        }
    }

    /// The agent's work_dir, canonical.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Makes the state of a new container, all at once.
    ///
    /// # Errors
    /// When a container of this id is being launched or runs, or the state cannot be written.
    pub fn create(&self, id: &ContainerId, launched: &Launched<'_>) -> Result<ContainerDir> {
        let path = self.base.join("live").join(id.as_str());
        let temporary = self.base.join(temporary("new"));
        remove_tree("clear", &temporary)?;
        step("make new", || DirBuilder::new().mode(0o700).create(&temporary))
            .map_err(Error::path("make", &temporary))?;
        let filled = step("fill", || ContainerDir::fill(&temporary, launched)).and_then(|()| {
            step("create", || renameat2(AT_FDCWD, &temporary, AT_FDCWD, &path, RenameFlags::RENAME_NOREPLACE)).map_err(
                |e| match e {
                    nix::Error::EEXIST | nix::Error::ENOTEMPTY => exists(id),
                    e => Error::path("make", &path)(e.into()),
                },
            )
        });
        if let Err(e) = filled {
            let _ = fs::remove_dir_all(&temporary);
            return Err(e);
        }
        Ok(ContainerDir::new(path, id.clone()))
    }

    /// The reason that is the real one for a failure before [`Scope::create`]: what is in the way may be the container itself.
    pub fn explain(&self, id: &ContainerId, failure: Error) -> Error {
        if self.live(id).is_some() { exists(id) } else { failure }
    }

    /// The live container of this id. None when there is none.
    pub fn live(&self, id: &ContainerId) -> Option<ContainerDir> {
        let path = self.base.join("live").join(id.as_str());
        path.is_dir().then(|| ContainerDir::new(path, id.clone()))
    }

    /// The record of the ended container of this id, which need not exist.
    pub fn ended(&self, id: &ContainerId) -> EndedDir {
        EndedDir::new(self.base.join("ended").join(id.as_str()))
    }

    /// All that are being prepared or run.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn all_live(&self) -> Result<Vec<ContainerDir>> {
        let ids = ids_in(&self.base.join("live"))?;
        Ok(ids.into_iter().map(|id| ContainerDir::new(self.base.join("live").join(id.as_str()), id)).collect())
    }

    /// All that have ended and are still known.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn all_ended(&self) -> Result<Vec<(ContainerId, EndedDir)>> {
        let ids = ids_in(&self.base.join("ended"))?;
        Ok(ids.into_iter().map(|id| (id.clone(), self.ended(&id))).collect())
    }

    /// [`Scope::sweep`] for a launch, of which there may be many a second: only if the last one is long ago, measured by what
    /// there can be to sweep. Looks at one file otherwise.
    pub fn sweep_sometimes(&self, retention: Duration) {
        let mark = self.base.join(".swept");
        let last = fs::metadata(&mark).and_then(|m| m.modified()).ok();
        let age = last.and_then(|last| SystemTime::now().duration_since(last).ok());
        if age.is_some_and(|age| age < (retention / 8).min(OFTEN_ENOUGH)) {
            return;
        }
        // Without the mark (a full disk) the next launch sweeps again.
        let _ = step("mark swept", || atomic::create(&mark, b""));
        self.sweep(retention, false);
    }

    /// Deletes what nobody will ask for again: answered records older than `retention` and, with `boots`, the state of
    /// other boots and what the other records have that only a live container needs. What cannot be deleted stays for the next time.
    pub fn sweep(&self, retention: Duration, boots: bool) {
        // What a killed process left half made or half deleted. It may have ended without having been reaped.
        let proc = Proc::default();
        for entry in fs::read_dir(&self.base).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = name.strip_prefix('.').and_then(|n| n.rsplit_once('-')?.1.parse().ok());
            let is_gone = |pid| {
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_err()
                    || proc.stat(pid).is_some_and(|stat| Proc::has_ended(&stat))
            };
            if pid.is_some_and(is_gone) {
                let _ = remove_tree("sweep", &entry.path());
            }
        }
        for (_, ended) in self.all_ended().unwrap_or_default() {
            if ended.is_expired(&self.work_dir, retention) {
                let _ = ended.remove();
            } else if boots {
                // Whoever moved it there may have been killed before it did so.
                ended.keep_the_end_only();
            }
        }
        if boots && let Ok(entries) = fs::read_dir(&self.agent) {
            for entry in entries.flatten().filter(|e| e.path() != self.base) {
                let _ = remove_tree("forget boot", &entry.path());
            }
        }
    }

    /// Moves a directory that nobody can read out of the way, for a human to look at.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(&self, dir: &Path, id: &ContainerId) -> Result<PathBuf> {
        self.put_aside(dir, id.as_str())
    }

    fn put_aside(&self, what: &Path, name: &str) -> Result<PathBuf> {
        // The name is one inside, so that the longest one is not too long. Pids come again.
        let damaged = self.base.join("damaged");
        clear_way(&damaged)?;
        let places = (0..).map(|n| damaged.join(format!("{}-{n}", std::process::id())));
        let Some(aside) = places.take(1000).find(|place| !place.join(name).exists()) else {
            return Err(Error::Refused(format!("{} is full of what was set aside; delete it", damaged.display())));
        };
        step("make damaged", || fs::create_dir_all(&aside)).map_err(Error::path("make", &aside))?;
        let target = aside.join(name);
        match step("set aside", || fs::rename(what, &target)) {
            // A directory of somebody else's can get another name only.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => self.rename_aside(what, name),
            renamed => renamed.map(|()| target).map_err(Error::path("set aside", what)),
        }
    }

    fn rename_aside(&self, what: &Path, name: &str) -> Result<PathBuf> {
        let pid = std::process::id();
        let target = match what.parent() == Some(&self.base) {
            true => what.with_extension(format!("damaged-{pid}")),
            // Not to be taken for a container.
            false => what.with_file_name(format!(".damaged-{pid}-{name}")),
        };
        step("set aside", || fs::rename(what, &target)).map_err(Error::path("set aside", what))?;
        Ok(target)
    }

    /// Makes places for containers where something else is; says what it did. For `recover`.
    pub fn repair(&self) -> Vec<String> {
        let mut done = Vec::new();
        for name in ["live", "ended"] {
            let path = self.base.join(name);
            let aside = match fs::read_dir(&path) {
                Ok(_) => continue,
                Err(e) if e.kind() == ErrorKind::NotFound => "it was not there".to_owned(),
                Err(e) if in_the_way(&e) => {
                    let aside = self.put_aside(&path, name);
                    format!(
                        "{e}; {}",
                        aside.map_or_else(|e| e.to_string(), |to| format!("set aside as {}", to.display()))
                    )
                }
                // It may pass.
                Err(e) => {
                    done.push(Error::path("list", &path)(e).to_string());
                    continue;
                }
            };
            let made = step("make state directory", || make_private(&path))
                .map_or_else(|e| e.to_string(), |()| "made anew".to_owned());
            done.push(format!("{}: {aside}; {made}", path.display()));
        }
        done
    }
}

/// Whether what stands there can never be listed.
fn in_the_way(e: &io::Error) -> bool {
    let kinds = [ErrorKind::NotADirectory, ErrorKind::PermissionDenied];
    kinds.contains(&e.kind()) || e.raw_os_error() == Some(libc::ELOOP)
}

fn exists(id: &ContainerId) -> Error {
    Error::Refused(format!("container {id} exists already; destroy it first"))
}

/// The name of a directory that is not a container (yet, or any more). With the pid, so that it is known when nobody works on
/// it any longer.
pub(super) fn temporary(what: &str) -> String {
    format!(".{what}-{}", std::process::id())
}

/// Removes the directory `path` of the scope `base`: first from sight as a whole, so that nobody meets it half deleted.
pub(super) fn remove_whole(name: &'static str, base: &Path, path: &Path) -> Result<()> {
    let gone = base.join(temporary("gone"));
    // Of a process that had our pid and was killed.
    remove_tree("clear", &gone)?;
    match step(name, || fs::rename(path, &gone)) {
        Ok(()) => remove_tree("delete", &gone),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::path("forget", path)(e)),
    }
}

/// Removes a directory with all that is in it; that it is not there is fine.
pub(super) fn remove_tree(name: &'static str, path: &Path) -> Result<()> {
    match step(name, || fs::remove_dir_all(path)) {
        // No directory, as it should be.
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            step(name, || fs::remove_file(path)).map_err(Error::path("remove", path))
        }
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::path("remove", path)(e)),
        _ => Ok(()),
    }
}

fn ids_in(dir: &Path) -> Result<Vec<ContainerId>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::path("list", dir))?,
    };
    // Whatever else somebody put there is no container.
    let directories = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    Ok(directories.filter_map(|e| ContainerId::new(e.file_name().to_str()?).ok()).collect())
}

/// The work_dir may not exist when a verb is tried by hand; the agent always has made it.
fn canonical(work_dir: &Path) -> Result<PathBuf> {
    match fs::canonicalize(work_dir) {
        Ok(path) => Ok(path),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(work_dir.to_path_buf()),
        Err(e) => Err(Error::path("resolve the agent's work_dir", work_dir)(e)),
    }
}

/// FNV-1a, 64 bits: short names for a handful of directories, the same for ever.
fn hash(work_dir: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let bytes = work_dir.as_os_str().as_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

fn make_private(dir: &Path) -> Result<()> {
    let made = DirBuilder::new().mode(0o700).create(dir);
    if crate::weaken::is("state") {
        let _ = fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o777));
    }
    match made {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(Error::path("make the state directory", dir)(e)),
    }
}

/// Renames what stands where a directory of ours is to be.
fn clear_way(dir: &Path) -> Result<()> {
    if fs::symlink_metadata(dir).is_ok_and(|found| !found.is_dir()) {
        let aside = dir.with_extension(format!("damaged-{}", std::process::id()));
        step("clear way", || fs::rename(dir, &aside)).map_err(Error::path("set aside", dir))?;
    }
    Ok(())
}

fn check_private(dir: &Path) -> Result<()> {
    let found = fs::metadata(dir).map_err(Error::path("look at the state directory", dir))?;
    let me = nix::unistd::geteuid().as_raw();
    if !found.is_dir() {
        return Err(Error::path("use the state directory", dir)(io::Error::from(ErrorKind::NotADirectory)));
    }
    if (found.uid() != me || found.mode() & 0o022 != 0) && !crate::weaken::is("state") {
        return Err(Error::Refused(format!(
            "the state directory {} is refused: it must belong to uid {me} (it is uid {}'s) and be writable by its owner \
             only (its mode is {:04o}); name another one by --runtime_dir or correct it",
            dir.display(),
            found.uid(),
            found.mode() & 0o7777
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::state::{Checkpoint, Process};
    use std::os::unix::fs::PermissionsExt;

    fn launched(f: impl FnOnce(&Launched<'_>)) {
        let checkpoint = Checkpoint { version: 1, owner: Process { pid: 1, start_time: 0 }, ..Checkpoint::default() };
        f(&Launched { record: b"r", checkpoint: &checkpoint });
    }

    #[test]
    fn scopes_are_by_canonical_work_dir_and_boot() {
        let dir = tempfile::tempdir().unwrap();
        let (runtime, work) = (dir.path().join("run"), dir.path().join("work"));
        fs::create_dir(&work).unwrap();
        std::os::unix::fs::symlink(&work, dir.path().join("link")).unwrap();
        let id = ContainerId::new("c").unwrap();
        let scope = Scope::open(&runtime, &work, "boot1").unwrap();
        launched(|l| drop(scope.create(&id, l).unwrap()));
        assert!(Scope::open(&runtime, &dir.path().join("link"), "boot1").unwrap().live(&id).is_some());
        assert!(Scope::open(&runtime, dir.path(), "boot1").unwrap().live(&id).is_none());
        let later = Scope::open(&runtime, &work, "boot2").unwrap();
        assert!(later.live(&id).is_none());
        later.sweep(Duration::from_secs(1), true);
        assert!(scope.live(&id).is_none(), "the state of another boot is void");
    }

    #[test]
    fn one_container_of_an_id() {
        let dir = tempfile::tempdir().unwrap();
        let scope = Scope::open(&dir.path().join("run"), dir.path(), "b").unwrap();
        let id = ContainerId::new("c").unwrap();
        launched(|l| {
            scope.create(&id, l).unwrap();
            assert!(scope.create(&id, l).unwrap_err().to_string().contains("exists already"));
        });
        assert_eq!(scope.all_live().unwrap().len(), 1);
        scope.live(&id).unwrap().remove().unwrap();
        assert!(scope.all_live().unwrap().is_empty());
        assert_eq!(fs::read_dir(&scope.base).unwrap().count(), 2, "no temporary directory is left");
    }

    #[test]
    fn a_runtime_dir_that_others_may_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("run");
        Scope::open(&runtime, dir.path(), "b").unwrap();
        assert_eq!(fs::metadata(&runtime).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o770)).unwrap();
        let error = Scope::open(&runtime, dir.path(), "b").unwrap_err().to_string();
        assert!(error.contains("0770") && error.contains("--runtime_dir"), "{error}");
    }
}
