//! The isolators for the containers' network, on hosts made of network namespaces.

pub mod bed;
mod changed;
#[cfg(feature = "crash-points")]
mod crash;
mod flows;
mod limits;
mod many;
mod mapped;
mod measured;
mod ports;
mod recovered;
mod refused;
mod spoofed;
