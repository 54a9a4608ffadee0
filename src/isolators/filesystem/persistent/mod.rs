//! Persistent volumes: directories of the agent's that outlive containers, given to a container by its resources and taken
//! away by them. See docs/isolators/filesystem-persistent.md.
//!
//! For `filesystem/posix` they are symbolic links in the sandbox, for `filesystem/linux` mounts in the container's mount
//! namespace. Both isolators pass their calls on: [`Persistent::plan`], [`Persistent::prepare`], [`Persistent::update`]; and
//! their facts, of which these are all.
#![forbid(unsafe_code)]

mod directory;
mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod join;
mod owner;
mod sandbox;
mod source;
mod volume;

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::container::open_alive;
use crate::error::{Error, Result};
use crate::isolator::{self, Container, Mount, Stage, mount};
use crate::isolators::Settings;
use crate::step::step;
pub use directory::Directory;
use facts::{Facts, Kept};
use join::{Change, Seen};
use sandbox::Sandbox;
use source::Source;
use volume::Volume;

/// How containers get to their volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Symbolic links in the sandbox.
    Links,
    /// Mounts. The container has a mount namespace of its own, whatever it is launched with: an update may bring a volume.
    Mounts,
}

/// The persistent volumes of containers.
#[derive(Debug)]
pub struct Persistent {
    way: Way,
    work_dir: Option<PathBuf>,
    timeout: Duration,
}

impl Persistent {
    /// With the settings in force.
    pub fn new(way: Way, settings: &Settings) -> Persistent {
        Persistent { way, work_dir: settings.work_dir.clone(), timeout: settings.isolator_timeout }
    }

    /// The facts about what `prepare` will make; none without volumes.
    ///
    /// # Errors
    /// A volume that cannot be had, or is not there.
    pub fn plan(&self, container: &Container<'_>) -> Result<isolator::Facts> {
        let volumes = self.volumes(container)?;
        let kept = volumes.iter().map(|volume| self.kept(container, volume, false));
        Ok(Facts::new(kept.collect::<Result<_>>()?).bytes())
    }

    /// Gives the volumes to the container's user, and makes links, or mount points and what is to be mounted. `seen`: where the
    /// container sees its sandbox, without links, if that is not where the host has it; the facts are then new ones.
    ///
    /// # Errors
    /// When something else is in the place of one in the sandbox.
    pub fn prepare(
        &self,
        container: &Container<'_>,
        facts: &isolator::Facts,
        seen: Option<&Path>,
    ) -> Result<(Vec<Mount>, Option<isolator::Facts>)> {
        let mut facts = Facts::read(facts)?;
        let new = seen.map(|seen| {
            facts.see_at(seen);
            facts.bytes()
        });
        let volumes = self.volumes(container)?;
        let mut mounts = Vec::new();
        if volumes.is_empty() {
            return Ok((mounts, new));
        }
        let sandbox = Sandbox::open(container.sandbox)?;
        let seen = sandbox_seen(&facts, container)?;
        for volume in volumes {
            let source = self.place(container, &sandbox, &volume)?;
            if self.way == Way::Mounts {
                mounts.push(Mount {
                    stage: Stage::Volume,
                    what: format!("the {} at {}", volume.name, seen.join(&volume.at).display()),
                    at: c_path(&seen.join(&volume.at))?,
                    source: isolator::Source::Mapped(tree(&volume, &source)?),
                });
            }
        }
        Ok((mounts, new))
    }

    /// Adds what is new among the container's resources and takes away what is gone, in the running container. `remember`
    /// stores facts, before anything is made or removed. None: nothing has changed.
    ///
    /// # Errors
    /// Of the first thing that cannot be done; what else was done then stands, and the agent ends the container.
    pub fn update(
        &self,
        container: &Container<'_>,
        facts: &isolator::Facts,
        remember: impl FnOnce(&isolator::Facts) -> Result<()>,
    ) -> Result<Option<isolator::Facts>> {
        let facts = Facts::read(facts)?;
        let wanted = self.volumes(container)?;
        let work_dir = self.work_dir(container);
        let paths: Vec<PathBuf> =
            wanted.iter().map(|volume| source::path(volume, work_dir.as_deref())).collect::<Result<_>>()?;
        let is = |kept: &Kept| wanted.iter().zip(&paths).any(|(volume, path)| kept.is(volume, path));
        let (stays, gone): (Vec<Kept>, Vec<Kept>) = facts.volumes.iter().cloned().partition(is);
        let settled = |volume: &Volume, path: &Path| stays.iter().any(|kept| !kept.pending && kept.is(volume, path));
        let new: Vec<&Volume> = wanted
            .iter()
            .zip(&paths)
            .filter(|(volume, path)| !settled(volume, path))
            .map(|(volume, _)| volume)
            .collect();
        if gone.is_empty() && new.is_empty() {
            return Ok(None);
        }
        let kept = |pending| new.iter().map(move |volume| self.kept(container, volume, pending));
        let stays = || facts.volumes.iter().filter(|kept| is(kept) && !kept.pending).cloned();
        let leaving = gone.iter().map(Kept::leaving);
        let pending: Vec<Kept> = stays().chain(leaving).map(Ok).chain(kept(true)).collect::<Result<_>>()?;
        remember(&facts.with(pending).bytes())?;
        let sandbox = Sandbox::open(container.sandbox)?;
        match self.way {
            Way::Links => self.relink(container, &sandbox, &gone, &new)?,
            Way::Mounts => self.remount(container, &sandbox, &sandbox_seen(&facts, container)?, &gone, &new)?,
        }
        let settled: Vec<Kept> = stays().map(Ok).chain(kept(false)).collect::<Result<_>>()?;
        Ok(Some(facts.with(settled).bytes()))
    }

    fn relink(&self, container: &Container<'_>, sandbox: &Sandbox<'_>, gone: &[Kept], new: &[&Volume]) -> Result<()> {
        gone.iter().try_for_each(|kept| sandbox.unlink(kept.at(), kept.source()))?;
        new.iter().try_for_each(|volume| self.place(container, sandbox, volume).map(drop))
    }

    fn remount(
        &self,
        container: &Container<'_>,
        sandbox: &Sandbox<'_>,
        seen: &Path,
        gone: &[Kept],
        new: &[&Volume],
    ) -> Result<()> {
        let mut changes = Vec::new();
        for kept in gone {
            let (at, identity) = (c_path(kept.at())?, kept.identity());
            changes.push(Change { at, identity, mount: false, perhaps: kept.pending });
        }
        let mut trees = Vec::new();
        for volume in new {
            let source = self.place(container, sandbox, volume)?;
            trees.push(tree(volume, &source)?);
            changes.push(Change { at: c_path(&volume.at)?, identity: source.identity, mount: true, perhaps: false });
        }
        // It has just ended, or is about to: its mounts go with it.
        let Some(first) = container.first.and_then(|first| open_alive(container.proc, first)) else {
            return Ok(());
        };
        if !new.is_empty() && has_user_namespace(first_pid(container)) {
            return Err(Error::Refused(
                "a persistent volume cannot be added to a running container with a user namespace: its files would be nobody's \
                 there; launch the container with it, or leave namespaces/user out of --isolation"
                    .into(),
            ));
        }
        let below = c_path(seen.strip_prefix("/").unwrap_or(seen))?;
        let seen = Seen { path: seen, below, identity: sandbox.identity };
        step("volume mounts", || join::carry_out(&first, &seen, &changes, trees, self.timeout))?;
        let again = |kept: &Kept| new.iter().any(|volume| volume.at.starts_with(kept.at()));
        gone.iter().filter(|kept| !again(kept)).for_each(|kept| sandbox.remove_mount_point(kept.at()));
        Ok(())
    }

    /// Opens a volume, gives it to the container's user, and makes its place in the sandbox.
    fn place(&self, container: &Container<'_>, sandbox: &Sandbox<'_>, volume: &Volume) -> Result<Source> {
        let source = source::open(volume, self.work_dir(container).as_deref())?;
        let made = match self.way {
            Way::Links => sandbox.link(&volume.at, &source.path),
            Way::Mounts => sandbox.make_mount_point(&volume.at),
        };
        made.map_err(|why| Error::Refused(format!("{}: {why}", volume.name)))?;
        // Who may only read it does not get it.
        if !volume.read_only {
            step("volume owner", || owner::give(&source, sandbox.owner))?;
        }
        Ok(source)
    }

    fn volumes(&self, container: &Container<'_>) -> Result<Vec<Volume>> {
        let volumes = volume::volumes(container.resources)?;
        match volumes.iter().find(|volume| volume.read_only && self.way == Way::Links) {
            Some(volume) => Err(Error::Refused(format!(
                "{}: it is to be read-only, and a symbolic link would let the container write to it; put filesystem/linux \
                 into --isolation instead of filesystem/posix",
                volume.name
            ))),
            None => Ok(volumes),
        }
    }

    fn kept(&self, container: &Container<'_>, volume: &Volume, pending: bool) -> Result<Kept> {
        Ok(Kept::new(volume, &source::open(volume, self.work_dir(container).as_deref())?, pending))
    }

    /// That of the agent, by which its calls find the container, too; else the one that the sandbox is in.
    fn work_dir(&self, container: &Container<'_>) -> Option<PathBuf> {
        source::work_dir(self.work_dir.as_deref(), container.sandbox)
    }
}

/// Refuses volumes in or around persistent ones: what is mounted first would be hidden.
///
/// # Errors
/// With both.
pub fn refuse_overlap(volumes: &[Mount], persistent: &[Mount]) -> Result<()> {
    let path = |mount: &Mount| PathBuf::from(std::ffi::OsStr::from_bytes(mount.at.to_bytes()));
    for kept in persistent {
        let at = path(kept);
        if let Some(volume) = volumes.iter().find(|v| path(v).starts_with(&at) || at.starts_with(path(v))) {
            return Err(Error::Refused(format!("{} and {}: one would hide the other", volume.what, kept.what)));
        }
    }
    Ok(())
}

/// Where the container sees its sandbox, without links.
fn sandbox_seen(facts: &Facts, container: &Container<'_>) -> Result<PathBuf> {
    match facts.sandbox() {
        Some(seen) => Ok(seen),
        // Only the agent's own directories are above it.
        None => std::fs::canonicalize(container.sandbox).map_err(Error::path("find the sandbox", container.sandbox)),
    }
}

fn first_pid(container: &Container<'_>) -> i32 {
    container.first.map_or(0, |first| first.pid)
}

/// Whether this process is in another user namespace than we are. Where that cannot be seen it is taken not to be: then it
/// is not one that we have made.
fn has_user_namespace(pid: i32) -> bool {
    let of = |process: String| std::fs::metadata(format!("/proc/{process}/ns/user")).map(|found| found.ino());
    matches!((of("self".into()), of(pid.to_string())), (Ok(own), Ok(its)) if own != its)
}

/// The volume as a mount that is nowhere yet. What is mounted below its directory is not of the volume, and is left out.
fn tree(volume: &Volume, source: &Source) -> Result<OwnedFd> {
    let attributes = if volume.read_only { mount::RDONLY } else { 0 };
    mount::open_tree(source.fd.as_fd(), false)
        .and_then(|tree| {
            mount::set_attributes(tree.as_fd(), attributes, Some(mount::Propagation::Private), false)?;
            Ok(tree)
        })
        .map_err(Error::path("make a mount of the persistent volume", &source.path))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::Refused(format!("the path {} has a NUL byte in it", path.display())))
}

#[cfg(test)]
mod tests;
