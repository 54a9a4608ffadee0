//! One process for each container, from launch to the end: it starts the container's first process, is its parent and the
//! subreaper of all that comes from it, ends what exceeds its limits, and writes down how it ended.
//!
//! It is forked from launch without an exec, in a session of its own, and holds nothing of launch's. If it is killed, the
//! container goes on, and whoever notices first (`wait`, `recover`, `destroy`) takes over.
#![forbid(unsafe_code)]

mod abandon;
mod adopt;
mod channel;
mod charge;
mod end;
mod fetching;
mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gate;
mod gone;
mod ids;
mod launch;
mod rights;
mod serve;
mod setup;
mod start;
mod status;

pub use abandon::{Found, OWNERS_RECORD, abandon, adopt_or_abandon, examine};
pub use adopt::adopt;
pub use charge::Charge;
pub use end::{Outcome, end_damaged};
pub use gone::see_gone;
pub use launch::{Launching, Order, launch};
