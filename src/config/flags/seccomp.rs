//! The flags of the isolator linux/seccomp.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static SECCOMP_CONFIG_DIR: Flag = Flag {
    name: "seccomp_config_dir",
    kind: Kind::Path,
    default: "",
    inherits: None,
    help: "linux/seccomp: the directory of profiles. It and they must belong to root and be writable by nobody else.",
};
pub(in crate::config) static SECCOMP_PROFILE_NAME: Flag = Flag {
    name: "seccomp_profile_name",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "linux/seccomp: the file in that directory which says what system calls containers may make. Unset: the \
           program's own profile.",
};
