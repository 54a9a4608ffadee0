//! `network/...`: which ports containers have.
#![forbid(unsafe_code)]

mod ports;
pub mod statistics;

pub use ports::Ports;
