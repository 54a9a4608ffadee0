//! The flags that have to do with cgroups.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static LAUNCHER: Flag = Flag {
    name: "launcher",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "How processes are kept together and killed: linux (by cgroups) or posix (by parentage). Unset: linux for root \
           where a v1 freezer hierarchy or v2 is mounted writable, else posix.",
};
pub(in crate::config) static CGROUPS_ROOT: Flag = Flag {
    name: "cgroups_root",
    kind: Kind::Text,
    default: "mesos",
    inherits: None,
    help: "The cgroup below which containers get theirs, in every hierarchy in use; made where it is missing.",
};
pub(in crate::config) static CGROUPS_HIERARCHY: Flag = Flag {
    name: "cgroups_hierarchy",
    kind: Kind::Path,
    default: "/sys/fs/cgroup",
    inherits: None,
    help: "The directory in which a v1 hierarchy gets mounted if an isolator needs it and nobody has mounted it.",
};
pub(in crate::config) static CGROUPS_ENABLE_CFS: Flag = Flag {
    name: "cgroups_enable_cfs",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "cgroups/cpu: limit the CPU time of a container to its cpus also while others are idle.",
};
pub(in crate::config) static CGROUPS_LIMIT_SWAP: Flag = Flag {
    name: "cgroups_limit_swap",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "cgroups/mem: limit memory and swap together, not memory alone.",
};
pub(in crate::config) static CGROUPS_CPU_ENABLE_PIDS_AND_TIDS_COUNT: Flag = Flag {
    name: "cgroups_cpu_enable_pids_and_tids_count",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "cgroups/cpu: count the processes and threads of a container.",
};
pub(in crate::config) static REVOCABLE_CPU_LOW_PRIORITY: Flag = Flag {
    name: "revocable_cpu_low_priority",
    kind: Kind::Bool,
    default: "true",
    inherits: None,
    help: "cgroups/cpu: containers with revocable cpus get 10 shares a CPU in place of 1024.",
};
pub(in crate::config) static CGROUPS_PIDS_MAX: Flag = Flag {
    name: "cgroups_pids_max",
    kind: Kind::Number,
    default: "",
    inherits: None,
    help: "cgroups/pids: how many processes and threads a container may have. Unset: no limit.",
};
pub(in crate::config) static ALLOWED_DEVICES: Flag = Flag {
    name: "allowed_devices",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "cgroups/devices: devices that containers may use beside the usual ones, in the agent's JSON form.",
};
pub(in crate::config) static CGROUPS_NET_CLS_PRIMARY_HANDLE: Flag = Flag {
    name: "cgroups_net_cls_primary_handle",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "cgroups/net_cls: the upper 16 bits of every container's class id, as 0x0012.",
};
pub(in crate::config) static CGROUPS_NET_CLS_SECONDARY_HANDLES: Flag = Flag {
    name: "cgroups_net_cls_secondary_handles",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "cgroups/net_cls: first and last of the lower 16 bits to be given to containers, as 0x0001,0xffff.",
};
pub(in crate::config) static CGROUPS_BLKIO_WEIGHT: Flag = Flag {
    name: "cgroups_blkio_weight",
    kind: Kind::Number,
    default: "",
    inherits: None,
    help: "cgroups/blkio: a container's weight on block devices, 10 to 1000. Unset: the kernel's default.",
};
pub(in crate::config) static CGROUPS_BLKIO_THROTTLE: Flag = Flag {
    name: "cgroups_blkio_throttle",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "cgroups/blkio: limits of block devices for every container, as 8:0 rbps=10MB wiops=100, several with a \
           semicolon between them.",
};
pub(in crate::config) static PERF_EVENTS: Flag = Flag {
    name: "perf_events",
    kind: Kind::List,
    default: "",
    inherits: None,
    help: "cgroups/perf_event: the events to count, with commas between them, as task-clock,context-switches.",
};
pub(in crate::config) static PERF_INTERVAL: Flag = Flag {
    name: "perf_interval",
    kind: Kind::Duration,
    default: "1mins",
    inherits: None,
    help: "cgroups/perf_event: the time from the start of one sample to that of the next. More than zero.",
};
pub(in crate::config) static PERF_DURATION: Flag = Flag {
    name: "perf_duration",
    kind: Kind::Duration,
    default: "10secs",
    inherits: None,
    help: "cgroups/perf_event: how long a sample counts, at most --perf_interval. More than zero.",
};
pub(in crate::config) static SYSTEMD_SLICE: Flag = Flag {
    name: "systemd_slice",
    kind: Kind::Text,
    default: "mesos_executors.slice",
    inherits: None,
    help: "Where supervisors and containers go in systemd's hierarchies, so that a restart of the agent's unit does not \
           end them; none to leave them in the agent's unit.",
};
