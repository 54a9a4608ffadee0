//! The settings about what is measured of networks.
#![forbid(unsafe_code)]

use super::error::ConfigError;
use super::flags::network_statistics as flags;
use super::sources::Sources;

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkStatistics {
    /// How many connections there are.
    pub network_enable_socket_statistics_summary: bool,
    /// How long their round trips take.
    pub network_enable_socket_statistics_details: bool,
    /// What /proc/net/snmp counts.
    pub network_enable_snmp_statistics: bool,
}

impl NetworkStatistics {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<NetworkStatistics, ConfigError> {
        Ok(NetworkStatistics {
            network_enable_socket_statistics_summary: sources
                .boolean(&flags::NETWORK_ENABLE_SOCKET_STATISTICS_SUMMARY)?,
            network_enable_socket_statistics_details: sources
                .boolean(&flags::NETWORK_ENABLE_SOCKET_STATISTICS_DETAILS)?,
            network_enable_snmp_statistics: sources.boolean(&flags::NETWORK_ENABLE_SNMP_STATISTICS)?,
        })
    }
}
