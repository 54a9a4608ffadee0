//! What the agent sees of the host, and what containers see.
//!
//! An agent takes the number of its worker threads from [`ONLINE`]. `mesos-ecp agent` starts it in a mount namespace in which
//! another file lies over that one ([`enter`]); a systemd unit can do the same. Whatever the agent calls is born into that
//! namespace, and no container may be: every verb leaves it before anything else ([`leave`]).
#![forbid(unsafe_code)]

mod cpus;
mod enter;
mod leave;

pub use cpus::online_cpus;
pub use enter::enter;
pub use leave::{Stayed, leave};

/// Where C libraries read how many processors are online, as a list of numbers and ranges: `0-3,6`.
pub const ONLINE: &str = "/sys/devices/system/cpu/online";
