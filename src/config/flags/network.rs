//! The flags that have to do with the containers' network.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static EPHEMERAL_PORTS: Flag = Flag {
    name: "ephemeral_ports",
    kind: Kind::Text,
    default: "[32768-57344]",
    inherits: None,
    help: "network/port_mapping: the ports that containers get their ephemeral ports of, as [32768-57344]. The host's own \
           (ip_local_port_range) and those offered as the resource ports must be others.",
};
pub(in crate::config) static EPHEMERAL_PORTS_PER_CONTAINER: Flag = Flag {
    name: "ephemeral_ports_per_container",
    kind: Kind::Number,
    default: "1024",
    inherits: None,
    help: "network/port_mapping: how many ephemeral ports a container gets. A power of two, at least 16.",
};
pub(in crate::config) static ETH0_NAME: Flag = Flag {
    name: "eth0_name",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "network/port_mapping: the host's link to the public network, as eth0. Unset: that of the default route.",
};
pub(in crate::config) static LO_NAME: Flag = Flag {
    name: "lo_name",
    kind: Kind::Text,
    default: "",
    inherits: None,
    help: "network/port_mapping: the host's loopback link. Unset: the one that the kernel says is it.",
};
pub(in crate::config) static EGRESS_RATE_LIMIT_PER_CONTAINER: Flag = Flag {
    name: "egress_rate_limit_per_container",
    kind: Kind::Bytes,
    default: "",
    inherits: None,
    help: "network/port_mapping: how much a container may send per second, as 37500KB. Unset: no limit.",
};
pub(in crate::config) static EGRESS_UNIQUE_FLOW_PER_CONTAINER: Flag = Flag {
    name: "egress_unique_flow_per_container",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "network/port_mapping: gives each container a queue of its own where the host sends. Needs fq_codel.",
};
