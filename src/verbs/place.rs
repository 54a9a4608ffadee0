//! Where a new container will be in the cgroup hierarchies: decided by launch, once, before anything is made.
#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::path::Path;

use super::refuse::{disk_quotas, root_directory};
use crate::cgroup::{self, Hierarchies, MOUNTINFO};
use crate::config::{Config, Launcher};
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::isolators::{self, Set};
use crate::launcher::{Cgroups, Unit};

/// The hierarchies of this host, read when they are first asked for.
#[derive(Default)]
pub(super) struct Host(OnceCell<Hierarchies>);

impl Host {
    /// All of them.
    ///
    /// # Errors
    /// When mountinfo cannot be read.
    pub(super) fn hierarchies(&self) -> Result<&Hierarchies> {
        if let Some(found) = self.0.get() {
            return Ok(found);
        }
        let read = Hierarchies::read(Path::new(MOUNTINFO))?;
        Ok(self.0.get_or_init(|| read))
    }

    /// The isolators of `--isolation`.
    ///
    /// # Errors
    /// One that is not known, or cannot be had on this host or with its flags; flags that take another one.
    pub(super) fn isolators(&self, config: &Config) -> Result<Set> {
        let settings = isolators::Settings::of(config);
        let names = isolators::resolve(&config.isolation, &settings, || self.hierarchies())?;
        let set = Set::new(&names, &settings)?;
        set.probe()?;
        root_directory(config.filesystem.default_rootfs.as_deref(), &set.names())?;
        disk_quotas(config.disk.enforce_container_disk_quota, &set.names())?;
        Ok(set)
    }

    /// The container's place, and what its supervisor has to leave.
    ///
    /// # Errors
    /// When this host has not what the isolators or the launcher need, or somebody has a cgroup of this name.
    pub(super) fn place(mut self, id: &ContainerId, config: &Config, set: &Set) -> Result<(Cgroups, Unit)> {
        let controllers = set.controllers();
        let is_root = nix::unistd::geteuid().is_root();
        if config.cgroups.launcher == Some(Launcher::Linux) && !is_root {
            return Err(Error::Refused("--launcher=linux needs root; without it, choose --launcher=posix".into()));
        }
        if controllers.is_empty() && !is_root {
            return Ok((Cgroups::default(), Unit::default()));
        }
        if is_root && mount_missing(self.hierarchies()?, &controllers, &config.cgroups.cgroups_hierarchy)? {
            self = Host::default();
        }
        let hierarchies = self.hierarchies()?;
        let can = is_root && (hierarchies.unified().is_some() || hierarchies.v1("freezer").is_some());
        let launcher = config.cgroups.launcher.unwrap_or(if can { Launcher::Linux } else { Launcher::Posix });
        let cgroups = Cgroups::choose(hierarchies, launcher, &controllers, &config.cgroups.cgroups_root, id.as_str())?;
        cgroups.check_absent()?;
        let unit = if is_root { Unit::find(hierarchies, config)? } else { Unit::default() };
        Ok((cgroups, unit))
    }
}

/// Mounts the hierarchies that isolators need and nobody has mounted; says whether there are more now.
fn mount_missing(hierarchies: &Hierarchies, controllers: &[(String, &'static str)], directory: &Path) -> Result<bool> {
    let mut mounted = false;
    for (isolator, controller) in controllers.iter().filter(|(_, controller)| hierarchies.of(controller).is_err()) {
        mounted |= cgroup::mount(controller, directory).map_err(|source| Error::Isolator {
            isolator: isolator.clone(),
            call: "probe",
            source: Box::new(source),
        })?;
    }
    Ok(mounted)
}
