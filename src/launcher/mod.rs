//! Starting a container's first process, and ending all of a container's processes.
#![forbid(unsafe_code)]

mod cgroups;
mod command;
mod environment;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod init;
mod kill;
mod sandbox;
mod unit;
mod user;

pub use cgroups::{Cgroups, Joins};
pub use command::{Command, envp};
pub use environment::{Facts, container_environment};
pub use init::{find_init, open_init};
pub use kill::{Killed, kill_descendants, kill_first, kill_in_cgroups, kill_marked, kill_strangers};
pub use sandbox::{Sandbox, Streams, append_to_stderr};
pub use unit::{Unit, leave_unit};
pub use user::{Account, account};
