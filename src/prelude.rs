//! What every isolator needs, in one line: `use mesos_ecp::prelude::*;`
//!
//! What only some need has its place elsewhere: [`sys::mount`](crate::sys::mount) makes what a [`Preparation`] mounts,
//! [`protocol::resources`](crate::protocol::resources) reads amounts and ranges out of resources,
//! [`paths`](crate::paths) opens and makes what is below a directory that a task can write to, [`proc`](crate::proc) and
//! [`cgroup`](crate::cgroup) read what the kernel knows, [`step`](crate::step) makes a place where tests can have a process killed.
#![forbid(unsafe_code)]

pub use crate::ecp::Ecp;
pub use crate::error::{Error, Result};
pub use crate::isolator::{Container, Facts, Isolator, Limitation, Preparation, Watch, Watched};
pub use crate::isolators::Settings;
pub use crate::protocol::mesos::ResourceStatistics;
