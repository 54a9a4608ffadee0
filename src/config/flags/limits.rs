//! The flags that have to do with what a container's process may do and use.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static EFFECTIVE_CAPABILITIES: Flag = Flag {
    name: "effective_capabilities",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "linux/capabilities: what containers have whose record asks for nothing else, in the agent's JSON form, or as \
           NET_RAW,SYS_ADMIN, or none. Unset: what their user has by itself.",
};
pub(in crate::config) static BOUNDING_CAPABILITIES: Flag = Flag {
    name: "bounding_capabilities",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "linux/capabilities: what containers may have at most, ask for, or get by executing files, in the same forms. \
           Unset: a container's effective ones, or whatever the agent may have.",
};
pub(in crate::config) static DEFAULT_RLIMITS: Flag = Flag {
    name: "default_rlimits",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "posix/rlimits: the limits that a record does not set, as NOFILE=1024:4096,CORE=0 (soft and hard, or both in \
           one, or unlimited), or in the JSON form of RLimitInfo. Unset: the agent's own.",
};
pub(in crate::config) static UMASK: Flag = Flag {
    name: "umask",
    kind: Kind::Text,
    default: "022",
    inherits: None,
    help: "The umask of containers, in octal.",
};
pub(in crate::config) static OOM_SCORE_ADJ: Flag = Flag {
    name: "oom_score_adj",
    kind: Kind::Number,
    default: "",
    inherits: None,
    help: "How much likelier than others containers are killed when the host runs out of memory, from -1000 to 1000. A \
           launch fails where that may not be set. Unset: 0, or the agent's own where that may not be lowered.",
};
