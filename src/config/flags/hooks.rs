//! The flags that have to do with commands at the begin and the end of containers.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static ON_LAUNCH: Flag = Flag {
    name: "on_launch",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "A command for /bin/sh, run for each container when all is ready and before its own command runs. If it fails, so does the \
           launch. Within --isolator_timeout.",
};
pub(in crate::config) static ON_EXIT: Flag = Flag {
    name: "on_exit",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "A command for /bin/sh, run for each container when its processes are gone. Within --isolator_timeout.",
};
