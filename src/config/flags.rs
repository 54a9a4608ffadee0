//! The table of flags: the one source for the command line, the environment, the help and the manual page.
#![forbid(unsafe_code)]

pub(super) mod cgroups;
pub(super) mod disk;
pub(super) mod fetching;
pub(super) mod filesystem;
pub(super) mod hooks;
pub(super) mod limits;
pub(super) mod namespaces;
pub(super) mod network;
pub(super) mod network_ports;
pub(super) mod network_statistics;
pub(super) mod seccomp;
pub(super) mod userns;

use std::ffi::OsString;

/// What the value of a flag looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text in UTF-8.
    Text,
    /// An absolute path; need not be UTF-8.
    Path,
    /// `true`, `false`, `1` or `0`; also `--flag` and `--no-flag`.
    Bool,
    /// A number with a unit, as `1.5mins`; see [`parse_duration`](super::values::parse_duration).
    Duration,
    /// A whole number with a unit, as `64MB`; see [`parse_bytes`](super::values::parse_bytes).
    Bytes,
    /// Names with commas between them; none empty, none twice.
    List,
    /// A whole number.
    Number,
}

impl Kind {
    /// The word that stands for a value of this kind in help and messages, as in `--work_dir=PATH`.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Kind::Text => "TEXT",
            Kind::Path => "PATH",
            Kind::Bool => "BOOL",
            Kind::Duration => "DURATION",
            Kind::Bytes => "BYTES",
            Kind::List => "LIST",
            Kind::Number => "N",
        }
    }
}

/// One flag. Names are those of the agent's own flags where the agent has one with the same meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// The name without dashes, lower case, words joined by `_`: `work_dir`.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// The default, written as on the command line. Empty: there is none in this table, see `inherits` and `help`.
    pub default: &'static str,
    /// A variable that the agent gives to every verb and that holds the value if nobody set the flag.
    pub inherits: Option<&'static str>,
    /// One or two sentences for help and manual page, without the default (it is added from `default`).
    pub help: &'static str,
}

/// What the names of our environment variables begin with.
pub const VARIABLE_PREFIX: &str = "MESOS_ECP_";

impl Flag {
    /// The environment variable that sets this flag: `MESOS_ECP_WORK_DIR`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// Whether its variable sets the flag. The form of a call's own input does not come from afar: an agent's calls would all fail.
    pub fn in_environment(&self) -> bool {
        self.name != FORMAT.name
    }

    /// How the flag is written, for messages and help: `--work_dir=PATH`, `--[no-]quiet`.
    pub fn usage(&self) -> String {
        match self.kind {
            Kind::Bool => format!("--[no-]{}", self.name),
            kind => format!("--{}={}", self.name, kind.placeholder()),
        }
    }

    /// Whether the configuration file may set it.
    pub fn in_file(&self) -> bool {
        self.name != CONFIG.name && self.name != FORMAT.name
    }

    /// The flag whose name (without dashes) this is.
    pub fn named(name: &str) -> Option<&'static Flag> {
        FLAGS.iter().find(|flag| flag.name == name).copied()
    }

    /// The flag that the environment variable of this name sets.
    pub(super) fn of_variable(variable: &str) -> Option<&'static Flag> {
        FLAGS.iter().find(|flag| flag.variable() == variable).copied()
    }

    /// The table's default as a value, absent where the table has none.
    pub(super) fn default_value(&self) -> Option<OsString> {
        (!self.default.is_empty()).then(|| self.default.into())
    }
}

/// All flags, in the order of the help.
pub static FLAGS: &[&Flag] = &[
    &CONFIG,
    &ISOLATION,
    &RUNTIME_DIR,
    &WORK_DIR,
    &LAUNCHER_DIR,
    &FRAMEWORKS_HOME,
    &HADOOP_HOME,
    &FETCH_TIMEOUT,
    &fetching::FETCH_AS,
    &fetching::FETCHER_CONNECT_TIMEOUT,
    &fetching::FETCHER_STALL_TIMEOUT,
    &fetching::FETCHER_SIZE_LIMIT,
    &fetching::FETCHER_CACHE_DIR,
    &fetching::FETCHER_CACHE_SIZE,
    &CGROUPS_DESTROY_TIMEOUT,
    &ANSWERED_RETENTION,
    &ISOLATOR_DIR,
    &ISOLATOR_TIMEOUT,
    &hooks::ON_LAUNCH,
    &hooks::ON_EXIT,
    &cgroups::LAUNCHER,
    &cgroups::CGROUPS_ROOT,
    &cgroups::CGROUPS_HIERARCHY,
    &cgroups::CGROUPS_ENABLE_CFS,
    &cgroups::CGROUPS_LIMIT_SWAP,
    &cgroups::CGROUPS_CPU_ENABLE_PIDS_AND_TIDS_COUNT,
    &cgroups::REVOCABLE_CPU_LOW_PRIORITY,
    &cgroups::CGROUPS_PIDS_MAX,
    &cgroups::CGROUPS_BLKIO_WEIGHT,
    &cgroups::CGROUPS_BLKIO_THROTTLE,
    &cgroups::ALLOWED_DEVICES,
    &cgroups::CGROUPS_NET_CLS_PRIMARY_HANDLE,
    &cgroups::CGROUPS_NET_CLS_SECONDARY_HANDLES,
    &cgroups::PERF_EVENTS,
    &cgroups::PERF_INTERVAL,
    &cgroups::PERF_DURATION,
    &cgroups::SYSTEMD_SLICE,
    &disk::CONTAINER_DISK_WATCH_INTERVAL,
    &disk::ENFORCE_CONTAINER_DISK_QUOTA,
    &disk::DISK_WALKERS,
    &disk::XFS_PROJECT_RANGE,
    &disk::XFS_KILL_CONTAINERS,
    &filesystem::DEFAULT_CONTAINER_INFO,
    &filesystem::DEFAULT_ROOTFS,
    &filesystem::SANDBOX_DIRECTORY,
    &limits::EFFECTIVE_CAPABILITIES,
    &limits::BOUNDING_CAPABILITIES,
    &limits::DEFAULT_RLIMITS,
    &limits::UMASK,
    &limits::OOM_SCORE_ADJ,
    &namespaces::PID1,
    &network::EPHEMERAL_PORTS,
    &network::EPHEMERAL_PORTS_PER_CONTAINER,
    &network::ETH0_NAME,
    &network::LO_NAME,
    &network::EGRESS_RATE_LIMIT_PER_CONTAINER,
    &network::EGRESS_UNIQUE_FLOW_PER_CONTAINER,
    &network_ports::CONTAINER_PORTS_WATCH_INTERVAL,
    &network_ports::ENFORCE_CONTAINER_PORTS,
    &network_ports::CHECK_AGENT_PORT_RANGE_ONLY,
    &network_ports::AGENT_PORTS,
    &network_ports::CONTAINER_PORTS_ISOLATED_RANGE,
    &network_statistics::NETWORK_ENABLE_SOCKET_STATISTICS_SUMMARY,
    &network_statistics::NETWORK_ENABLE_SOCKET_STATISTICS_DETAILS,
    &network_statistics::NETWORK_ENABLE_SNMP_STATISTICS,
    &seccomp::SECCOMP_CONFIG_DIR,
    &seccomp::SECCOMP_PROFILE_NAME,
    &userns::USERNS_RANGE,
    &FORMAT,
    &QUIET,
];

// By names of their own, so that `Config` reads a flag without a look-up that could fail. Each is there once: its texts are
// addresses, which every start of the program has to set.
pub(super) static CONFIG: Flag = Flag {
    name: "config",
    kind: Kind::Path,
    default: "/etc/mesos-ecp.toml",
    inherits: None,
    help: "The file that sets what neither command line nor environment does; none for no file. The default one may be \
           missing.",
};
pub(super) static ISOLATION: Flag = Flag {
    name: "isolation",
    kind: Kind::List,
    default: "posix/cpu,posix/mem",
    inherits: None,
    help: "The isolators of new containers, with commas between them.",
};
pub(super) static RUNTIME_DIR: Flag = Flag {
    name: "runtime_dir",
    kind: Kind::Path,
    default: "",
    inherits: None,
    help: "Where the state of containers is kept; lost at a reboot. Unset: /run/mesos-ecp for root, \
           $XDG_RUNTIME_DIR/mesos-ecp for others.",
};
pub(super) static WORK_DIR: Flag = Flag {
    name: "work_dir",
    kind: Kind::Path,
    default: "",
    inherits: Some("MESOS_WORK_DIRECTORY"),
    help: "The agent's work directory. Containers of agents with other work directories are out of sight.",
};
pub(super) static LAUNCHER_DIR: Flag = Flag {
    name: "launcher_dir",
    kind: Kind::Path,
    default: "",
    inherits: Some("MESOS_LIBEXEC_DIRECTORY"),
    help: "Where the agent's helper programs are, mesos-fetcher among them.",
};
pub(super) static FRAMEWORKS_HOME: Flag = Flag {
    name: "frameworks_home",
    kind: Kind::Path,
    default: "",
    inherits: None,
    help: "What relative paths among a command's URIs are joined to. Unset: such URIs are refused.",
};
pub(super) static HADOOP_HOME: Flag = Flag {
    name: "hadoop_home",
    kind: Kind::Path,
    default: "",
    inherits: None,
    help: "Where Hadoop is installed, for fetching from HDFS.",
};
pub(super) static FETCH_TIMEOUT: Flag = Flag {
    name: "fetch_timeout",
    kind: Kind::Duration,
    default: "10mins",
    inherits: None,
    help: "How long fetching all URIs of a container may take before its launch fails. More than zero.",
};
pub(super) static CGROUPS_DESTROY_TIMEOUT: Flag = Flag {
    name: "cgroups_destroy_timeout",
    kind: Kind::Duration,
    default: "1mins",
    inherits: None,
    help: "How long killing a container may take before destroy gives up and fails.",
};
pub(super) static ANSWERED_RETENTION: Flag = Flag {
    name: "answered_retention",
    kind: Kind::Duration,
    default: "1hrs",
    inherits: None,
    help: "How long the record of an ended container is kept after wait answered with it.",
};
pub(super) static ISOLATOR_DIR: Flag = Flag {
    name: "isolator_dir",
    kind: Kind::Path,
    default: "/etc/mesos-ecp/isolators",
    inherits: None,
    help: "Where isolators that are programs of their own are looked for.",
};
pub(super) static ISOLATOR_TIMEOUT: Flag = Flag {
    name: "isolator_timeout",
    kind: Kind::Duration,
    default: "10secs",
    inherits: None,
    help: "How long one call of such an isolator program may take. More than zero.",
};
pub(super) static FORMAT: Flag = Flag {
    name: "format",
    kind: Kind::Text,
    default: "record",
    inherits: None,
    help: "What is on standard input and output: record (protobuf, as the agent has it) or json (one object, for people and \
           scripts; never for an agent). On the command line only.",
};
pub(super) static QUIET: Flag = Flag {
    name: "quiet",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "Write no warnings to standard error, only errors.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_make_good_variables() {
        for (index, flag) in FLAGS.iter().copied().enumerate() {
            assert!(
                flag.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{}",
                flag.name
            );
            // `--no-NAME` is how a boolean is unset, so no name may look like that.
            assert!(!flag.name.starts_with("no_") && !flag.name.starts_with("no-"), "{}", flag.name);
            assert!(FLAGS[index + 1..].iter().all(|other| other.name != flag.name), "{} twice", flag.name);
            assert_eq!(Flag::named(flag.name), Some(flag));
            assert_eq!(Flag::of_variable(&flag.variable()), Some(flag));
            assert!(flag.help.ends_with('.'), "{}", flag.name);
        }
    }

    #[test]
    fn the_spelling_of_a_flag_and_its_variable() {
        assert_eq!(WORK_DIR.variable(), "MESOS_ECP_WORK_DIR");
        assert_eq!(WORK_DIR.usage(), "--work_dir=PATH");
        assert_eq!(QUIET.usage(), "--[no-]quiet");
        assert_eq!(Flag::named("--work_dir"), None);
        assert_eq!(Flag::of_variable("MESOS_ECP_work_dir"), None);
    }
}
