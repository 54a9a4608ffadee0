//! The flags that have to do with what a container sees of file systems.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) const DEFAULT_CONTAINER_INFO: Flag = Flag {
    name: "default_container_info",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "A ContainerInfo for containers that bring none: as JSON, or as the absolute path of a file with it. \
           Volumes in it need filesystem/linux or filesystem/shared in --isolation.",
};
