//! The flags about what is measured of networks.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static NETWORK_ENABLE_SOCKET_STATISTICS_SUMMARY: Flag = Flag {
    name: "network_enable_socket_statistics_summary",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "network/port_mapping: usage counts a container's TCP connections, and those that wait for their end.",
};
pub(in crate::config) static NETWORK_ENABLE_SOCKET_STATISTICS_DETAILS: Flag = Flag {
    name: "network_enable_socket_statistics_details",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "network/port_mapping: usage has percentiles of the round-trip times of a container's TCP connections. Each usage \
           reads all of them.",
};
pub(in crate::config) static NETWORK_ENABLE_SNMP_STATISTICS: Flag = Flag {
    name: "network_enable_snmp_statistics",
    kind: Kind::Bool,
    default: "false",
    inherits: None,
    help: "network/port_mapping: usage has the counts of a container's own /proc/net/snmp.",
};
