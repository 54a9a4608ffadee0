//! The flags that have to do with what a container sees of file systems.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static DEFAULT_CONTAINER_INFO: Flag = Flag {
    name: "default_container_info",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "A ContainerInfo for containers that bring none: as JSON, or as the absolute path of a file with it. \
           Volumes in it need filesystem/linux or filesystem/shared in --isolation.",
};
pub(in crate::config) static DEFAULT_ROOTFS: Flag = Flag {
    name: "default_rootfs",
    kind: Kind::Path,
    default: "",
    inherits: None,
    help: "filesystem/linux: a directory of the host that containers have as their root directory. It stays as it is: what a \
           container writes there is in memory, counts as the container's, and ends with it. Unset: the host's.",
};
pub(in crate::config) static SANDBOX_DIRECTORY: Flag = Flag {
    name: "sandbox_directory",
    kind: Kind::Path,
    default: "/mnt/mesos/sandbox",
    inherits: None,
    help: "Where containers with a root directory of their own see their sandbox.",
};
