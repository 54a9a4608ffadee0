//! The built-in isolators, and how a list of names becomes a list of isolators: of these, of somebody's own ([`crate::Ecp`]), and of
//! programs.
#![forbid(unsafe_code)]

mod all;
mod capabilities;
mod cgroups;
mod disk;
pub mod filesystem;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hooks;
mod namespaces;
pub mod network;
mod nnp;
mod posix;
mod program;
mod registry;
mod rlimits;
mod seccomp;
mod set;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cgroup::Hierarchies;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::isolator::Isolator;
use crate::protocol::state::Checkpoint;

pub use capabilities::permitted;
pub(crate) use registry::{Own, problem, register};
pub use set::Set;

/// What isolators need to know of the configuration: the flags in force, read by the process that makes the isolator. Who ends or
/// takes over a container may have been called with others than who launched it, so what must not change is a fact.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `--isolator_dir`.
    pub isolator_dir: PathBuf,
    /// `--isolator_timeout`.
    pub isolator_timeout: Duration,
    /// Of a container that was launched: what its isolators had found out about themselves, by their names. None: nobody was asked
    /// yet.
    pub described: Option<BTreeMap<String, Vec<u8>>>,
    /// The agent's, if it is known.
    pub work_dir: Option<PathBuf>,
    /// The flags that have to do with cgroups.
    pub cgroups: config::Cgroups,
    /// The flags that have to do with disk space.
    pub disk: config::Disk,
    /// The flags that have to do with file systems.
    pub filesystem: config::Filesystem,
    /// The commands for the begin and the end of containers.
    pub hooks: config::Hooks,
    /// The flags about what a container's process may do and use.
    pub limits: config::Limits,
    /// Those that have to do with namespaces.
    pub namespaces: config::Namespaces,
    /// The flags that have to do with the containers' network.
    pub network: config::Network,
    /// Those of network/ports.
    pub network_ports: config::NetworkPorts,
    /// What is measured of networks.
    pub network_statistics: config::NetworkStatistics,
    /// Those of linux/seccomp.
    pub seccomp: config::Seccomp,
    /// The flags that have to do with user namespaces.
    pub userns: config::Userns,
}

impl Settings {
    /// Those in force now.
    pub fn of(config: &Config) -> Settings {
        Settings {
            isolator_dir: config.isolator_dir.clone(),
            isolator_timeout: config.isolator_timeout,
            described: None,
            work_dir: config.work_dir.clone(),
            cgroups: config.cgroups.clone(),
            disk: config.disk.clone(),
            filesystem: config.filesystem.clone(),
            hooks: config.hooks.clone(),
            limits: config.limits.clone(),
            namespaces: config.namespaces.clone(),
            network: config.network.clone(),
            network_ports: config.network_ports.clone(),
            network_statistics: config.network_statistics,
            seccomp: config.seccomp.clone(),
            userns: config.userns,
        }
    }

    /// Those of a container that was launched with perhaps other flags.
    pub fn of_container(config: &Config, checkpoint: &Checkpoint) -> Settings {
        let dir = checkpoint.isolator_dir.as_ref().map(PathBuf::from);
        let described = checkpoint.described.iter().map(|one| (one.isolator.clone(), one.description.clone()));
        Settings {
            isolator_dir: dir.unwrap_or_else(|| config.isolator_dir.clone()),
            described: Some(described.collect()),
            ..Settings::of(config)
        }
    }
}

/// A name and how to make the isolator.
type Maker = (&'static str, fn(&Settings) -> Box<dyn Isolator>);

const BUILT_IN: &[Maker] = &[
    (filesystem::POSIX, |settings| Box::new(filesystem::Posix::new(settings))),
    ("filesystem/shared", |_| Box::new(filesystem::Shared)),
    ("filesystem/linux", |settings| Box::new(filesystem::Linux::new(settings))),
    ("posix/cpu", |_| Box::new(posix::Cpu)),
    ("posix/mem", |_| Box::new(posix::Mem)),
    ("posix/disk", |settings| Box::new(disk::Du::new(settings))),
    ("disk/xfs", |settings| Box::new(disk::Xfs::new(settings))),
    ("cgroups/cpu", |settings| Box::new(cgroups::Cpu::new(settings))),
    ("cgroups/mem", |settings| Box::new(cgroups::Mem::new(settings))),
    ("cgroups/pids", |settings| Box::new(cgroups::Pids::new(settings))),
    ("cgroups/cpuset", |settings| Box::new(cgroups::Cpuset::new(settings))),
    ("cgroups/blkio", |settings| Box::new(cgroups::Blkio::new(settings))),
    ("cgroups/devices", |settings| Box::new(cgroups::Devices::new(settings))),
    ("cgroups/hugetlb", |settings| Box::new(cgroups::Hugetlb::new(settings))),
    ("cgroups/net_cls", |settings| Box::new(cgroups::NetCls::new(settings))),
    ("cgroups/perf_event", |settings| Box::new(cgroups::PerfEvent::new(settings))),
    ("linux/capabilities", |settings| Box::new(capabilities::LinuxCapabilities::new(settings))),
    ("posix/rlimits", |settings| Box::new(rlimits::Rlimits::new(settings))),
    ("namespaces/pid", |settings| Box::new(namespaces::Pid::new(settings))),
    ("namespaces/ipc", |settings| Box::new(namespaces::Ipc::new(settings))),
    ("namespaces/uts", |settings| Box::new(namespaces::Uts::new(settings))),
    ("namespaces/cgroup", |settings| Box::new(namespaces::Cgroup::new(settings))),
    ("network/port_mapping", |settings| Box::new(network::PortMapping::new(settings))),
    ("network/ports", |settings| Box::new(network::Ports::new(settings))),
    (hooks::NAME, |settings| Box::new(hooks::Hooks::new(settings))),
    ("linux/nnp", |_| Box::new(nnp::Nnp)),
    ("linux/seccomp", |settings| Box::new(seccomp::Seccomp::new(settings))),
    ("namespaces/user", |settings| Box::new(namespaces::User::new(settings))),
];

/// Names that stand for several; those of the built-in containerizer.
const ALIASES: &[(&str, &[&str])] = &[
    ("process", &["posix/cpu", "posix/mem"]),
    ("cgroups", &["cgroups/cpu", "cgroups/mem"]),
    ("disk/du", &["posix/disk"]),
];

/// The name that stands for what the host has; [`resolve`] replaces it.
pub(crate) const ALL: &str = "cgroups/all";

pub(crate) const PROGRAM: &str = "program/";

/// The list with `cgroups/all` replaced by what it stands for here, and the one isolator for file systems in front:
/// filesystem/posix if none is named. Asks for the hierarchies only if it has to.
///
/// # Errors
/// `cgroups/all` stands for nothing here; two isolators for file systems, for disk space, or for ports.
pub fn resolve<'a>(
    names: &[String],
    settings: &Settings,
    hierarchies: impl FnOnce() -> Result<&'a Hierarchies>,
) -> Result<Vec<String>> {
    let mut names = all::resolve(names, settings, hierarchies)?;
    hooks::add(&mut names, settings);
    disk::SPACE.check(&names)?;
    network::PORTS.check(&names)?;
    filesystem::in_front(names)
}

/// Isolators of which a container can have one only.
struct AtMostOne {
    names: &'static [&'static str],
    why: &'static str,
}

impl AtMostOne {
    /// Whether it has no two of them.
    ///
    /// # Errors
    /// Which two it has.
    fn check(&self, isolation: &[String]) -> Result<()> {
        let mut ours = isolation.iter().filter(|name| self.names.contains(&name.as_str()));
        match (ours.next(), ours.next()) {
            (Some(first), Some(second)) => {
                Err(Error::Refused(format!("--isolation has both {first} and {second}: {}; leave one out", self.why)))
            }
            _ => Ok(()),
        }
    }
}

/// The isolators that give persistent volumes to containers.
pub const KEEP_VOLUMES: &[&str] = filesystem::KEEP_VOLUMES;

/// Whether it is one of those that are built in, of which the names are as they are.
pub(crate) fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(known, _)| *known == name)
}

/// Whether an isolator is, or has, programs of the operator's.
pub fn starts_programs(isolator: &str) -> bool {
    isolator.starts_with(PROGRAM) || isolator == hooks::NAME
}

/// Entries of environments, as `NAME=VALUE`, by which programs are found that were started for the container of this mark: by
/// its owner, by verbs.
pub fn marks(mark: &str) -> [String; 2] {
    program::marks(mark)
}

/// Whether volumes can be had with this `--isolation`.
pub fn takes_volumes(isolation: &[String]) -> bool {
    isolation.iter().any(|name| filesystem::TAKE_VOLUMES.contains(&name.as_str()))
}

/// Makes the isolators of a list that [`resolve`] has been through, aliases resolved, each once, in the order of the list.
///
/// # Errors
/// An unknown name, with the known ones.
pub fn make(names: &[String], settings: &Settings) -> Result<Vec<Box<dyn Isolator>>> {
    let mut isolators: Vec<Box<dyn Isolator>> = Vec::with_capacity(names.len());
    for name in names {
        let meant = ALIASES.iter().find(|(alias, _)| alias == name).map(|(_, meant)| *meant);
        for name in meant.unwrap_or(&[name.as_str()]) {
            if !isolators.iter().any(|i| i.name() == *name) {
                isolators.push(make_one(name, settings)?);
            }
        }
    }
    Ok(isolators)
}

fn make_one(name: &str, settings: &Settings) -> Result<Box<dyn Isolator>> {
    if let Some((_, make)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok(make(settings));
    }
    if let Some(program) = name.strip_prefix(PROGRAM) {
        return Ok(Box::new(program::Program::new(program, settings)?));
    }
    if let Some(own) = registry::make(name, settings) {
        return own;
    }
    let aliases = ALIASES.iter().map(|(name, _)| *name).chain([ALL]);
    let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).chain(aliases).chain(registry::names()).collect();
    Err(Error::Refused(format!(
        "isolator \"{}\" is not known; known are {} and program/NAME for a program in {}",
        name.escape_default(),
        known.join(", "),
        settings.isolator_dir.display()
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(list: &[&str]) -> Result<Vec<String>> {
        let (config, _) =
            Config::resolve(&config::Settings::default(), std::iter::empty(), &config::Untrusted::default())?;
        let settings = Settings::of(&config);
        let list: Vec<String> = list.iter().map(|n| (*n).into()).collect();
        Ok(make(&list, &settings)?.iter().map(|i| i.name().to_owned()).collect())
    }

    #[test]
    fn names_and_aliases() {
        assert_eq!(names(&["process"]).unwrap(), ["posix/cpu", "posix/mem"]);
        assert_eq!(names(&["posix/mem", "process"]).unwrap(), ["posix/mem", "posix/cpu"]);
        assert!(names(&[]).unwrap().is_empty());
        let error = names(&["posix/cpus"]).unwrap_err().to_string();
        assert!(error.contains("\"posix/cpus\"") && error.contains("posix/cpu, posix/mem, posix/disk"), "{error}");
        assert_eq!(names(&["cgroups", "cgroups/pids"]).unwrap(), ["cgroups/cpu", "cgroups/mem", "cgroups/pids"]);
    }

    #[test]
    fn of_some_there_is_at_most_one() {
        let check = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|name| (*name).to_owned()).collect();
            disk::SPACE.check(&list).and_then(|()| network::PORTS.check(&list))
        };
        for one in ["disk/xfs", "network/ports", "network/port_mapping"] {
            check(&["posix/cpu", one, "posix/mem"]).unwrap();
        }
        check(&["posix/disk", "network/ports"]).unwrap();
        for both in [
            ["posix/disk", "disk/xfs"],
            ["disk/du", "posix/disk"],
            ["network/ports", "network/port_mapping"],
            ["network/port_mapping", "network/ports"],
        ] {
            let error = check(&both).unwrap_err().to_string();
            assert!(error.contains(&format!("both {} and {}", both[0], both[1])), "{error}");
        }
    }
}
