//! The flags that have to do with user namespaces.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static USERNS_RANGE: Flag = Flag {
    name: "userns_range",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "The ids of the host, as FIRST-LAST, that users and groups from 0 on are in containers with a user namespace \
           (isolator namespaces/user, which needs it). They must belong to nobody else, so none is below 65536.",
};
