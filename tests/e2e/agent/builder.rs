//! How a stand-in is made.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::polling::Polls;
use super::session::Inherited;
use super::sessions::Sessions;
use super::{Agent, NOBODY, Parts, Profile, cgroups, examples, install};

/// How an [`Agent`] differs from the usual one.
#[derive(Default)]
#[must_use]
pub struct Builder {
    profile: Option<&'static Profile>,
    asks_only_when_told: bool,
    flags: Vec<String>,
    environment: BTreeMap<String, String>,
    account: Option<(u32, u32)>,
    inherited: Inherited,
    beside: Option<(PathBuf, Option<PathBuf>)>,
    runtime_dir_by_environment: bool,
    unit: Option<String>,
    stay_in_unit: bool,
    no_config_flag: bool,
    prefix: String,
    own_fetcher: Option<bool>,
    example: Option<&'static str>,
    helpers_beside: bool,
    replaceable: Option<PathBuf>,
    outside_tmp: bool,
}

impl Builder {
    /// Behaves as agents of this line of releases, whatever the others do in this run.
    pub fn profile(mut self, profile: &'static Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Asks for usage when the test says so and not otherwise, for this reason, whatever the release would do.
    pub fn asks_only_when_told(mut self, _because: &str) -> Self {
        self.asks_only_when_told = true;
        self
    }

    /// Adds a flag to the `--containerizer_path`.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Adds a variable to the agent's own environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Runs the agent as `nobody`; needs root.
    pub fn unprivileged(mut self) -> Self {
        self.account = Some(NOBODY);
        self
    }

    /// Runs a copy of the program, in a directory that only its account can enter, with `mesos-ecp-fetch` beside it or
    /// without.
    pub fn own_fetcher(mut self, installed: bool) -> Self {
        self.own_fetcher = Some(installed);
        self
    }

    /// Calls this example in place of `mesos-ecp`.
    pub fn example(mut self, name: &'static str) -> Self {
        self.example = Some(name);
        self
    }

    /// Runs a copy of the program, with all programs beside it that it may want.
    pub fn helpers_beside(mut self) -> Self {
        self.helpers_beside = true;
        self
    }

    /// Runs a copy of this program, which [`Agent::replace`] can put another one in the place of.
    pub fn replaceable(mut self, program: PathBuf) -> Self {
        self.replaceable = Some(program);
        self
    }

    /// What the calls inherit.
    pub fn inherited(mut self, umask: u32, nice: i32) -> Self {
        self.inherited = Inherited { umask, nice, ..self.inherited };
        self
    }

    /// What the calls inherit beside that: the kernel's inclination to kill them, and a class and level of I/O priority.
    pub fn disfavoured(mut self, oom_score_adj: u16, io_priority: i32) -> Self {
        self.inherited =
            Inherited { oom_score_adj: Some(oom_score_adj), io_priority: Some(io_priority), ..self.inherited };
        self
    }

    /// Names the runtime directory in the agent's environment and not by a flag.
    pub fn runtime_dir_by_environment(mut self) -> Self {
        self.runtime_dir_by_environment = true;
        self
    }

    /// Makes every call through this command, to which the program and its words are arguments.
    pub fn through(mut self, command: &str) -> Self {
        self.prefix = format!("{command} ");
        self
    }

    /// Shares the runtime directory with another agent.
    pub fn beside(mut self, other: &Agent) -> Self {
        self.beside = Some((other.runtime_dir.clone(), None));
        self
    }

    /// Shares runtime and work directory with another agent, the latter by another name.
    pub fn same_as(mut self, other: &Agent, work_dir: &Path) -> Self {
        self.beside = Some((other.runtime_dir.clone(), Some(work_dir.to_owned())));
        self
    }

    /// Makes every call inside these cgroups of systemd's hierarchies (v1's `name=systemd` and v2), as those of a unit. The
    /// path is below the agent's own root.
    pub fn unit(mut self, name: &str) -> Self {
        self.unit = Some(name.to_owned());
        self
    }

    /// Asks the program to leave the unit alone.
    pub fn stay_in_unit(mut self) -> Self {
        self.stay_in_unit = true;
        self
    }

    /// Leaves the choice of a configuration file to the program and to its environment. Without this there is none.
    pub fn no_config_flag(mut self) -> Self {
        self.no_config_flag = true;
        self
    }

    /// Has its directories in /var/tmp, for containers that have a /tmp of their own.
    pub fn outside_tmp(mut self) -> Self {
        self.outside_tmp = true;
        self
    }

    pub fn build(self) -> Agent {
        let place = if self.outside_tmp { "/var/tmp" } else { "/tmp" };
        let root = tempfile::Builder::new().prefix("ecp-e2e-").tempdir_in(place).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let directory = |name: &str| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            if let Some((uid, gid)) = self.account {
                chown(&path, Some(uid), Some(gid)).unwrap();
            }
            path
        };
        let libexec = directory("libexec");
        // What lies below it is the program's to make.
        let own_runtime_dir = directory("run").join("ecp");
        let own_work_dir = directory("work");
        let (runtime_dir, other_work_dir) = self.beside.unwrap_or((own_runtime_dir, None));
        let helpers = PathBuf::from(env!("CARGO_BIN_EXE_mesos-ecp"));
        let mut binary = self.example.map_or_else(|| helpers.clone(), examples::built);
        if let Some(program) = self.replaceable {
            binary = directory("bin").join(binary.file_name().unwrap());
            install(&program, &binary);
        } else if self.account.is_some() || self.own_fetcher.is_some() || self.helpers_beside {
            // The build directory may be closed to others.
            let copies = directory("bin");
            fs::set_permissions(&copies, fs::Permissions::from_mode(0o700)).unwrap();
            let copy = copies.join(binary.file_name().unwrap());
            install(&binary, &copy);
            if self.own_fetcher != Some(false) {
                install(&helpers.with_file_name("mesos-ecp-fetch"), &copies.join("mesos-ecp-fetch"));
            }
            if self.helpers_beside {
                install(&helpers.with_file_name("mesos-ecp-init"), &copies.join("mesos-ecp-init"));
            }
            binary = copy;
        }
        let mut flags = self.flags;
        let mut extra_environment = self.environment;
        if self.runtime_dir_by_environment {
            extra_environment.insert("MESOS_ECP_RUNTIME_DIR".to_owned(), runtime_dir.display().to_string());
        } else {
            flags.insert(0, format!("--runtime_dir={}", runtime_dir.display()));
        }
        let name = root.path().file_name().unwrap().to_string_lossy().into_owned();
        // Two levels, of which no other test knows the upper one: who removes it is in nobody's way.
        let cgroups_root = format!("{name}/root");
        let slice = if self.unit.is_some() && !self.stay_in_unit { format!("{name}.slice") } else { "none".to_owned() };
        if !flags.iter().any(|flag| flag.starts_with("--systemd_slice=")) {
            flags.insert(0, format!("--systemd_slice={slice}"));
        }
        // The tests are not to go by the settings of the host that they run on.
        if !self.no_config_flag && !flags.iter().any(|flag| flag.starts_with("--config=")) {
            flags.insert(0, "--config=none".to_owned());
        }
        if !flags.iter().any(|flag| flag.starts_with("--cgroups_root=")) {
            flags.insert(0, format!("--cgroups_root={cgroups_root}"));
        }
        let profile = self.profile.unwrap_or_else(Profile::of_this_run);
        let parts = Parts {
            profile,
            polls: (profile.polls_usage && !self.asks_only_when_told).then(Polls::default),
            work_dir: other_work_dir.unwrap_or(own_work_dir),
            runtime_dir,
            libexec,
            binary,
            prefix: self.prefix,
            flags,
            extra_environment,
            account: self.account,
            inherited: Inherited { eventfd: profile.leaks_eventfd, ..self.inherited },
            unit: self.unit.map(|unit| cgroups::Unit::new(&format!("{cgroups_root}-{unit}"), &format!("{name}.slice"))),
            cgroups_root,
            sessions: Sessions::default(),
            known: Mutex::default(),
            root,
        };
        Agent { parts: Arc::new(parts), is_the_tests: true }
    }
}
