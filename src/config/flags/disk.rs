//! The flags that have to do with disk space.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static CONTAINER_DISK_WATCH_INTERVAL: Flag = Flag {
    name: "container_disk_watch_interval",
    kind: Kind::Duration,
    default: "15secs",
    inherits: None,
    help: "posix/disk: the time from the end of one look at what a container uses to the next; disk/xfs with \
           --xfs_kill_containers: from one to the next. More than zero.",
};
pub(in crate::config) static ENFORCE_CONTAINER_DISK_QUOTA: Flag = Flag {
    name: "enforce_container_disk_quota",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "posix/disk, disk/xfs: a container may not use more than its disk resources; without, use is only measured.",
};
pub(in crate::config) static DISK_WALKERS: Flag = Flag {
    name: "disk_walkers",
    kind: Kind::Number,
    default: "",
    inherits: None,
    help: "posix/disk: how many processes may look at the same time, for all containers of the host. Unset: half as many \
           as there are processors, at least one.",
};
pub(in crate::config) static XFS_PROJECT_RANGE: Flag = Flag {
    name: "xfs_project_range",
    kind: Kind::Text,
    default: "[5000-10000]",
    inherits: None,
    help: "disk/xfs: the project ids that containers get, as [5000-10000]. They must be nobody else's.",
};
pub(in crate::config) static XFS_KILL_CONTAINERS: Flag = Flag {
    name: "xfs_kill_containers",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "disk/xfs with --enforce_container_disk_quota: a container that uses more than it may is ended. Without, its \
           writes fail.",
};
