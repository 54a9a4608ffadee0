//! Leaving the agent's systemd unit. systemd ends a unit by killing what is in its cgroup, in the hierarchies that it tracks:
//! `name=systemd` of v1, and v2. A supervisor that stayed there would end, with its container, when the agent is restarted.
#![forbid(unsafe_code)]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cgroup::{Cgroup, Hierarchies, MOUNTINFO, own_path, while_gone};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::step::step;

/// The v2 cgroup, beside those of the containers, that supervisors live in. (A cgroup that is divided holds no processes.)
pub(super) const SUPERVISORS: &str = "supervisors";

/// Where a process has to go to be out of the agent's unit. Nowhere, where it is in none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unit {
    places: Vec<Place>,
}

#[derive(Debug, PartialEq, Eq)]
struct Place {
    mount_point: PathBuf,
    below: PathBuf,
    /// The file that takes the number 0 for the writer.
    file: &'static str,
}

impl Unit {
    /// Finds where this process has to go.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn find(hierarchies: &Hierarchies, config: &Config) -> Result<Unit> {
        let Some(slice) = &config.cgroups.systemd_slice else {
            return Ok(Unit::default());
        };
        let path = "/proc/self/cgroup";
        let own = fs::read_to_string(path).map_err(Error::path("read", path))?;
        Ok(Unit::of(hierarchies, &own, slice, &config.cgroups.cgroups_root))
    }

    fn of(hierarchies: &Hierarchies, own: &str, slice: &str, root: &Path) -> Unit {
        let leaves = |controller: &str, below: &Path| {
            let path = own_path(own, controller).unwrap_or("/");
            path != "/" && !Path::new(path).starts_with(Path::new("/").join(below))
        };
        let mut unit = Unit::default();
        if let Some(hierarchy) = hierarchies.v1("name=systemd").filter(|_| leaves("name=systemd", Path::new(slice))) {
            let mount_point = hierarchy.mount_point.clone();
            unit.places.push(Place { mount_point, below: PathBuf::from(slice), file: "tasks" });
        }
        if let Some(hierarchy) = hierarchies.unified().filter(|_| leaves("", root)) {
            let (mount_point, below) = (hierarchy.mount_point, root.join(SUPERVISORS));
            unit.places.push(Place { mount_point, below, file: "cgroup.procs" });
        }
        unit
    }

    /// Moves this process, which has one thread, out of the unit; its children then begin outside, too.
    ///
    /// # Errors
    /// When it cannot.
    pub fn leave(&self) -> Result<()> {
        self.places.iter().try_for_each(|place| {
            place.enter().map_err(|e| {
                Error::Refused(format!(
                    "{e}: the agent's systemd unit cannot be left, so that its restart would end the container; correct \
                     it, or choose --systemd_slice=none"
                ))
            })
        })
    }
}

impl Place {
    fn enter(&self) -> Result<()> {
        let path = self.mount_point.join(&self.below);
        while_gone(|| {
            match Cgroup::open(&path) {
                Err(e) if e.is_not_found() => make(&self.mount_point, &self.below)?,
                found => drop(found?),
            }
            Cgroup::open(&path)?.write(self.file, "0")
        })
    }
}

/// Makes it level by level; others may be doing the same.
fn make(mount_point: &Path, below: &Path) -> Result<()> {
    let mut path = mount_point.to_path_buf();
    for component in below.components() {
        path.push(component);
        match step("make unit", || fs::create_dir(&path)) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::path("make the cgroup", path)(e)),
            _ => {}
        }
    }
    Ok(())
}

/// For a process that takes over: leaves the agent's unit, as the supervisor before it has.
///
/// # Errors
/// When it cannot.
pub fn leave_unit(config: &Config) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Unit::find(&Hierarchies::read(Path::new(MOUNTINFO))?, config)?.leave()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hierarchies() -> Hierarchies {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mountinfo");
        let text = "1 9 0:1 / /c/systemd rw - cgroup c rw,xattr,name=systemd\n2 9 0:2 / /c/unified rw - cgroup2 c rw\n";
        fs::write(&file, text).unwrap();
        Hierarchies::read(&file).unwrap()
    }

    fn places(own: &str) -> Vec<String> {
        let unit = Unit::of(&hierarchies(), own, "x.slice", Path::new("mesos"));
        unit.places.iter().map(|p| p.mount_point.join(&p.below).join(p.file).display().to_string()).collect()
    }

    #[test]
    fn a_unit_is_left_in_both_hierarchies() {
        let own = "1:name=systemd:/system.slice/agent.service\n0::/system.slice/agent.service\n";
        assert_eq!(places(own), ["/c/systemd/x.slice/tasks", "/c/unified/mesos/supervisors/cgroup.procs"]);
    }

    #[test]
    fn who_is_in_no_unit_or_outside_already_stays() {
        assert!(places("1:name=systemd:/\n0::/\n").is_empty());
        assert!(places("1:name=systemd:/x.slice\n0::/mesos/supervisors\n").is_empty());
        assert_eq!(places("1:name=systemd:/x.slices\n0::/\n"), ["/c/systemd/x.slice/tasks"]);
        let unit = Unit::of(&hierarchies(), "7:memory:/m\n", "x.slice", Path::new("mesos"));
        assert_eq!(unit, Unit::default());
    }
}
