//! The cgroups of one container: one directory in each hierarchy in use, by the same path below its mount point.
//!
//! Which hierarchies those are is decided once, by launch, and stored in the checkpoint: no later call has to look for mounts.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid};

use crate::cgroup::{self, Cgroup, Hierarchies, Hierarchy};
use crate::config::Launcher;
use crate::error::{Error, Result};
use crate::protocol::state;
use crate::step::step;

/// Where a container is in the cgroup hierarchies. None anywhere is a valid place, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroups {
    hierarchies: Vec<Hierarchy>,
    /// `--cgroups_root`, relative.
    root: PathBuf,
    name: String,
    /// Whether the linux launcher keeps the processes together by them.
    tracking: bool,
}

/// Below the root there is more than containers: the agent puts itself into `slave`, and supervisors are beside the containers.
const RESERVED: [&str; 2] = ["slave", super::unit::SUPERVISORS];

/// What a first process needs to be in its cgroups from its beginning.
#[derive(Debug, Default)]
pub struct Joins {
    /// Of v1: the `tasks` files, open for writing.
    pub tasks: Vec<File>,
    /// Of v2: the cgroup to be cloned into.
    pub unified: Option<Cgroup>,
}

impl Cgroups {
    /// Decides where container `name` will be: in the hierarchies of `controllers`, each wanted by the isolator named beside
    /// it, and with the linux launcher also in those by which it is killed. Looks at no hierarchy where none is wanted.
    ///
    /// # Errors
    /// A controller that this host does not have, or no hierarchy for the linux launcher.
    pub fn choose(
        hierarchies: &Hierarchies,
        launcher: Launcher,
        controllers: &[(String, &'static str)],
        root: &Path,
        name: &str,
    ) -> Result<Cgroups> {
        if RESERVED.contains(&name) && (launcher == Launcher::Linux || !controllers.is_empty()) {
            return Err(Error::Refused(format!(
                "container id \"{name}\" is refused: the cgroup of this name below --cgroups_root is for other processes"
            )));
        }
        let mut chosen = Cgroups { root: root.to_path_buf(), name: name.to_owned(), ..Cgroups::default() };
        if launcher == Launcher::Linux {
            chosen.tracking = true;
            chosen.hierarchies.extend(hierarchies.unified());
            chosen.hierarchies.extend(hierarchies.v1("freezer").cloned());
            if chosen.hierarchies.is_empty() {
                return Err(Error::Refused(
                    "the linux launcher needs a v1 freezer hierarchy or v2, mounted writable, and there is none; mount one \
                     or choose --launcher=posix"
                        .into(),
                ));
            }
        }
        for (isolator, controller) in controllers {
            let found = hierarchies.of(controller).map_err(|source| Error::Isolator {
                isolator: isolator.clone(),
                call: "probe",
                source: Box::new(source),
            })?;
            match chosen.hierarchies.iter_mut().find(|h| h.mount_point == found.mount_point) {
                Some(known) => {
                    let new: Vec<String> =
                        found.controllers.into_iter().filter(|c| !known.controllers.contains(c)).collect();
                    known.controllers.extend(new);
                }
                None => chosen.hierarchies.push(found),
            }
        }
        Ok(chosen)
    }

    /// Wherever a container of this name can be at all: for one whose checkpoint cannot be read.
    pub fn anywhere(hierarchies: &Hierarchies, root: &Path, name: &str) -> Cgroups {
        Cgroups {
            hierarchies: hierarchies.all().filter(|_| !RESERVED.contains(&name)).collect(),
            root: root.to_path_buf(),
            name: name.to_owned(),
            tracking: true,
        }
    }

    /// What the checkpoint says.
    pub fn of_checkpoint(checkpoint: &state::Checkpoint, name: &str) -> Cgroups {
        let hierarchies = checkpoint.hierarchies.iter().map(|h| Hierarchy {
            mount_point: PathBuf::from(&h.mount_point),
            unified: h.unified(),
            controllers: h.controllers.clone(),
        });
        Cgroups {
            hierarchies: hierarchies.collect(),
            root: PathBuf::from(checkpoint.cgroups_root()),
            name: name.to_owned(),
            tracking: checkpoint.launcher() == Launcher::Linux.name(),
        }
    }

    /// Notes it in the checkpoint.
    ///
    /// # Errors
    /// A mount point that is not UTF-8.
    pub fn note_in(&self, checkpoint: &mut state::Checkpoint) -> Result<()> {
        for hierarchy in &self.hierarchies {
            let point = hierarchy.mount_point.to_str().ok_or_else(|| {
                Error::Refused(format!("the mount point {} is not UTF-8", hierarchy.mount_point.display()))
            })?;
            checkpoint.hierarchies.push(state::Hierarchy {
                mount_point: point.to_owned(),
                unified: hierarchy.unified.then_some(true),
                controllers: hierarchy.controllers.clone(),
            });
        }
        checkpoint.cgroups_root = self.root.to_str().map(str::to_owned);
        let launcher = if self.tracking { Launcher::Linux } else { Launcher::Posix };
        checkpoint.launcher = Some(launcher.name().to_owned());
        Ok(())
    }

    fn path_in(&self, hierarchy: &Hierarchy) -> PathBuf {
        hierarchy.mount_point.join(&self.root).join(&self.name)
    }

    /// That of the controller, named as in v1; v2's where it is not in v1. None: nobody asked for it.
    fn hierarchy(&self, controller: &str) -> Option<&Hierarchy> {
        let v1 = self.hierarchies.iter().find(|h| h.is_v1_of(controller));
        v1.or_else(|| self.hierarchies.iter().find(|h| h.unified))
    }

    /// Where v2 is mounted, if the container has a cgroup there.
    pub fn unified(&self) -> Option<&Path> {
        self.hierarchies.iter().find(|h| h.unified).map(|h| h.mount_point.as_path())
    }

    /// Whether the controller, named as in v1, is v2's here.
    pub fn is_unified(&self, controller: &str) -> bool {
        self.hierarchy(controller).is_some_and(|h| h.unified)
    }

    /// Where the container's cgroup of the controller (named as in v1) is.
    ///
    /// # Errors
    /// When nobody asked for the controller at launch.
    pub fn path(&self, controller: &str) -> Result<PathBuf> {
        self.hierarchy(controller)
            .map(|h| self.path_in(h))
            .ok_or_else(|| Error::Refused(format!("the container has no cgroup of {controller}")))
    }

    /// Opens the container's cgroup of the controller (named as in v1).
    ///
    /// # Errors
    /// NotFound when it has been removed.
    pub fn open(&self, controller: &str) -> Result<Cgroup> {
        Cgroup::open(self.path(controller)?)
    }

    /// The container's cgroups must not be there yet: whose they are cannot be known, and what fails later is undone.
    ///
    /// # Errors
    /// The first that is there.
    pub fn check_absent(&self) -> Result<()> {
        match self.hierarchies.iter().map(|h| self.path_in(h)).find(|path| path.exists()) {
            Some(path) => Err(Error::Refused(format!(
                "the cgroup {} exists already, and no container of this agent's has it; end what is in it and remove it",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    /// Makes all of them, for a container of `owner`; with what its first process needs to be in them.
    ///
    /// # Errors
    /// When one cannot be made; [`Cgroups::remove`] must follow. One that has come to exist meanwhile is somebody else's: then
    /// it and those not made yet are no longer among these, so that nothing in it is touched.
    pub fn make(&mut self, owner: Option<(Uid, Gid)>) -> Result<Joins> {
        let mut joins = Joins::default();
        for at in 0..self.hierarchies.len() {
            let Some(hierarchy) = self.hierarchies.get(at) else { break };
            match step("make cgroup", || cgroup::make(hierarchy, &self.root, &self.name, owner)) {
                Ok(cgroup) if hierarchy.unified => joins.unified = Some(cgroup),
                Ok(cgroup) => joins.tasks.push(cgroup.file("tasks", OFlag::O_WRONLY)?),
                Err(e) => {
                    if e.io().is_some_and(|e| e.kind() == ErrorKind::AlreadyExists) {
                        self.hierarchies.truncate(at);
                    }
                    return Err(e);
                }
            }
        }
        Ok(joins)
    }

    /// Those by which the linux launcher kills, v2's first; none with the posix launcher.
    pub fn tracking(&self) -> Vec<Cgroup> {
        self.tracked().filter_map(|path| Cgroup::open(path).ok()).collect()
    }

    fn tracked(&self) -> impl Iterator<Item = PathBuf> {
        let by = self.hierarchies.iter().filter(|h| self.tracking && (h.unified || h.is_v1_of("freezer")));
        by.map(|h| self.path_in(h))
    }

    /// Whether the linux launcher started the container.
    pub fn tracks(&self) -> bool {
        self.tracking
    }

    /// The processes that are in the container's cgroups; None where the launcher does not go by them.
    pub fn pids(&self) -> Option<Vec<i32>> {
        self.tracking.then(|| {
            let first = self.tracked().next().and_then(|path| Cgroup::open(path).ok());
            let mut pids: Vec<i32> = first.iter().flat_map(cgroup::pids).collect();
            pids.sort_unstable();
            pids.dedup();
            pids
        })
    }

    /// Removes all of them, with what was made below them. What cannot be removed by the deadline is handed to `failed`.
    pub fn remove(&self, deadline: Instant, mut failed: impl FnMut(String)) {
        for hierarchy in self.hierarchies.iter().rev() {
            if let Err(e) = step("remove cgroup", || cgroup::remove(&self.path_in(hierarchy), deadline)) {
                failed(e.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cgroups_of_others_are_no_containers() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mountinfo");
        std::fs::write(&file, "1 9 0:1 / /c/freezer rw - cgroup c rw,freezer\n").unwrap();
        let (hierarchies, root) = (Hierarchies::read(&file).unwrap(), Path::new("mesos"));
        let choose = |name: &str| Cgroups::choose(&hierarchies, Launcher::Linux, &[], root, name);
        assert_eq!(choose("c").unwrap().path("freezer").unwrap(), Path::new("/c/freezer/mesos/c"));
        for name in RESERVED {
            assert!(choose(name).unwrap_err().to_string().contains(name));
            assert!(Cgroups::anywhere(&hierarchies, root, name).path("freezer").is_err());
            assert!(Cgroups::choose(&hierarchies, Launcher::Posix, &[], root, name).is_ok(), "it has none");
        }
    }
}
