//! Settings: what they are called, how they are written, which source wins, and the values that the rest works with.
//!
//! A setting comes from the command line (`--work_dir=/w`), else from the environment (`MESOS_ECP_WORK_DIR=/w`), else from
//! a variable of the agent's where [`Flag::inherits`] names one, else from the configuration file ([`file`]), else from the
//! table [`FLAGS`].
#![forbid(unsafe_code)]

pub mod capability;
mod cgroups;
mod closest;
mod disk;
mod error;
mod fetching;
pub mod file;
mod filesystem;
mod flags;
mod format;
mod found;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hooks;
mod in_force;
mod limits;
mod namespaces;
mod network;
mod network_ports;
mod network_statistics;
pub mod rlimit;
mod seccomp;
mod settings;
mod sources;
mod untrusted;
mod userns;
pub mod values;

#[cfg(test)]
mod tests;

pub use cgroups::{Cgroups, Launcher};
pub(crate) use closest::closest;
pub use disk::{Disk, ProjectRange};
pub use error::ConfigError;
pub use fetching::{FetchAs, Fetching};
pub use filesystem::Filesystem;
pub use flags::{FLAGS, Flag, Kind, VARIABLE_PREFIX};
pub use format::Format;
pub use hooks::Hooks;
pub use in_force::in_force;
pub use limits::Limits;
pub use namespaces::{Namespaces, Pid1};
pub use network::{Network, PortRanges};
pub use network_ports::NetworkPorts;
pub use network_statistics::NetworkStatistics;
pub use seccomp::Seccomp;
pub use settings::Settings;
pub use untrusted::Untrusted;
pub use userns::{IdRange, Userns};

use file::FileError;
use sources::Sources;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings of one call. One field for each flag of [`FLAGS`] but [`Format`]'s, by the same name. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The configuration file that is asked for, be it there or not. Absent: none is wanted.
    pub config: Option<PathBuf>,
    /// The isolators of new containers, in the order given, none twice, at least one. Whether they exist is for the
    /// registry of isolators to say.
    pub isolation: Vec<String>,
    /// Where the state of containers is kept. Absent: the default for the user that runs the program.
    pub runtime_dir: Option<PathBuf>,
    /// The agent's work directory. Absent: neither was it set nor did the agent call.
    pub work_dir: Option<PathBuf>,
    /// Where `mesos-fetcher` is. Absent: neither was it set nor did the agent call.
    pub launcher_dir: Option<PathBuf>,
    /// What relative paths among a command's URIs are joined to. Absent: they cannot be fetched.
    pub frameworks_home: Option<PathBuf>,
    /// Where Hadoop is installed. Absent: wherever the fetcher finds it by itself.
    pub hadoop_home: Option<PathBuf>,
    /// How long fetching all URIs of one container may take. Never zero.
    pub fetch_timeout: Duration,
    /// What else has to do with fetching.
    pub fetching: Fetching,
    /// How long killing a container may take before `destroy` gives up. Zero: it looks once and does not wait.
    pub cgroups_destroy_timeout: Duration,
    /// How long the record of an ended container is kept after `wait` answered with it. Zero: until the next verb that
    /// tidies up.
    pub answered_retention: Duration,
    /// Where isolators that are programs of their own are looked for.
    pub isolator_dir: PathBuf,
    /// How long one call of an isolator program may take. Never zero.
    pub isolator_timeout: Duration,
    /// What has to do with cgroups.
    pub cgroups: Cgroups,
    /// What has to do with disk space.
    pub disk: Disk,
    /// What has to do with file systems.
    pub filesystem: Filesystem,
    /// Commands at the begin and the end of containers.
    pub hooks: Hooks,
    /// What a container's process may do and use.
    pub limits: Limits,
    /// What has to do with namespaces.
    pub namespaces: Namespaces,
    /// What has to do with the containers' network.
    pub network: Network,
    /// What network/ports goes by.
    pub network_ports: NetworkPorts,
    /// What is measured of networks.
    pub network_statistics: NetworkStatistics,
    /// What linux/seccomp goes by.
    pub seccomp: Seccomp,
    /// What has to do with user namespaces.
    pub userns: Userns,
    /// No warnings on standard error.
    pub quiet: bool,
}

impl Config {
    /// Decides every setting without a configuration file: command line before environment before default. Returns warnings
    /// beside them, one line each.
    ///
    /// `untrusted` has the names of the variables that the container's own record sets (`command.environment` of the
    /// executor and of the task). Agents before 0.23 lay those over the environment of `launch`, so a framework could
    /// otherwise steer a process of root: a setting by that name is ignored, with a warning. What the operator had in that
    /// variable is lost then, and the default holds: settings that matter belong on the command line
    /// (`--containerizer_path="mesos-ecp --isolation=..."`). All verbs without such a record pass an empty set.
    ///
    /// # Errors
    /// A value that is not of its flag's kind, a relative path, a zero timeout, an empty or repeated entry in a list, and a
    /// `MESOS_ECP_` variable that is no flag, or one of the command line only (an untrusted one is only warned of).
    pub fn resolve(
        settings: &Settings,
        environment: impl Iterator<Item = (OsString, OsString)>,
        untrusted: &Untrusted,
    ) -> Result<(Config, Vec<String>), ConfigError> {
        Config::resolve_with_file(settings, environment, untrusted, |_, _| Ok(None))
    }

    /// The same, with the configuration file between environment and default. `read` gets its path and, unless it is the
    /// default one, what names it; see [`file::read`], which is what the program passes.
    ///
    /// # Errors
    /// As [`Config::resolve`], and what `read` and [`file::parse`] refuse.
    pub fn resolve_with_file(
        settings: &Settings,
        environment: impl Iterator<Item = (OsString, OsString)>,
        untrusted: &Untrusted,
        read: impl FnOnce(&Path, Option<&str>) -> Result<Option<String>, FileError>,
    ) -> Result<(Config, Vec<String>), ConfigError> {
        let (mut sources, warnings) = Sources::new(settings, environment, untrusted)?;
        sources.read_file(read)?;
        Ok((Config::of(&sources)?, warnings))
    }

    fn of(sources: &Sources<'_>) -> Result<Config, ConfigError> {
        Ok(Config {
            config: sources.config()?,
            isolation: sources.list(&flags::ISOLATION)?,
            runtime_dir: sources.path(&flags::RUNTIME_DIR)?,
            work_dir: sources.path(&flags::WORK_DIR)?,
            launcher_dir: sources.path(&flags::LAUNCHER_DIR)?,
            frameworks_home: sources.path(&flags::FRAMEWORKS_HOME)?,
            hadoop_home: sources.path(&flags::HADOOP_HOME)?,
            fetch_timeout: sources.timeout(&flags::FETCH_TIMEOUT)?,
            fetching: Fetching::resolve(sources)?,
            cgroups_destroy_timeout: sources.duration(&flags::CGROUPS_DESTROY_TIMEOUT)?,
            answered_retention: sources.duration(&flags::ANSWERED_RETENTION)?,
            isolator_dir: sources.path(&flags::ISOLATOR_DIR)?.unwrap_or_default(),
            isolator_timeout: sources.timeout(&flags::ISOLATOR_TIMEOUT)?,
            cgroups: Cgroups::resolve(sources)?,
            disk: Disk::resolve(sources)?,
            filesystem: Filesystem::resolve(sources)?,
            hooks: Hooks::resolve(sources)?,
            limits: Limits::resolve(sources)?,
            namespaces: Namespaces::resolve(sources)?,
            network: Network::resolve(sources)?,
            network_ports: NetworkPorts::resolve(sources)?,
            network_statistics: NetworkStatistics::resolve(sources)?,
            seccomp: Seccomp::resolve(sources)?,
            userns: Userns::resolve(sources)?,
            quiet: sources.boolean(&flags::QUIET)?,
        })
    }
}
