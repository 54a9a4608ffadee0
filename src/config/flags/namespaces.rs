//! The flags that have to do with namespaces.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static PID1: Flag = Flag {
    name: "pid1",
    kind: Kind::Text,
    default: "executor",
    inherits: None,
    help: "What is process 1 of a container with namespaces/pid: executor (as with the agent's own containerizer) or init (a \
           small one before it, which waits for what the executor does not, and keeps its exit status).",
};
