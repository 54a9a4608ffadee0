//! The flags of network/ports.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static CONTAINER_PORTS_WATCH_INTERVAL: Flag = Flag {
    name: "container_ports_watch_interval",
    kind: Kind::Duration,
    default: "30secs",
    inherits: None,
    help: "network/ports: the time from the end of one look at the ports that a container listens on to the next. At \
           least 100ms.",
};
pub(in crate::config) static ENFORCE_CONTAINER_PORTS: Flag = Flag {
    name: "enforce_container_ports",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "network/ports: a container that listens on a port that is not its own is ended; without, its log says so.",
};
pub(in crate::config) static CHECK_AGENT_PORT_RANGE_ONLY: Flag = Flag {
    name: "check_agent_port_range_only",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "network/ports: containers may listen on ports that the agent does not offer (--agent_ports), whoever needs them. Not \
           together with --container_ports_isolated_range.",
};
pub(in crate::config) static AGENT_PORTS: Flag = Flag {
    name: "agent_ports",
    kind: Kind::Text,
    default: "[31000-32000]",
    inherits: None,
    help: "network/ports with --check_agent_port_range_only: the ports among the agent's --resources, whose default this is.",
};
pub(in crate::config) static CONTAINER_PORTS_ISOLATED_RANGE: Flag = Flag {
    name: "container_ports_isolated_range",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "network/ports: containers may listen on ports outside of this range, as [0-35000]. Unset: they may not.",
};
