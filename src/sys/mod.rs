//! Every unsafe line of the project, each with the reason why it is sound. What comes out of here is safe to call.
//!
//! Only calls that nix does not wrap, or that must be made between clone and exec, stand here.

#[cfg(test)]
mod allocated;
mod attribute;
mod bpf;
mod child;
mod clone;
mod detach;
mod directory;
mod fd;
mod fork;
mod ignored;
mod last_words;
pub mod mount;
mod namespace;
mod netlink;
mod perf;
mod pidfd;
mod project_quota;
mod rlimit;
mod seccomp;
mod setup;
mod socket;
mod timer;
mod user_namespace;

#[cfg(test)]
pub(crate) use allocated::most_allocated;
pub use attribute::{attribute, set_attribute};
pub use bpf::{Instruction, attach_device_program, load_device_program};
pub use child::{ChildStep, Wrong};
pub use clone::{ChildFailure, Clone, Cloned, Credentials, clone_held};
pub use detach::{default_signals, detach, helper, ready_signals};
pub use directory::{Looked, entries, look, lowest_priority};
pub use fd::{duplicate, trim_heap};
pub use fork::{Fork, exit_now, fork, reap_child, spawn_as_first, spawn_grouped};
pub use ignored::is_ignored;
pub use last_words::{die, last_words_to};
pub use namespace::{is_mount_root, join_mounts};
pub use netlink::{in_network, in_new_network, netlink_socket, netlink_socket_in, network_cookie};
pub use perf::{PerfCount, PerfCounter, PerfEvent, try_perf_cgroups, try_perf_event};
pub use pidfd::{ExitInfo, Pidfd};
pub use project_quota::{
    Project, ProjectAccounting, ProjectQuota, project_accounting, project_of, project_quota, release_reserved,
    set_project, set_project_limits, try_project_quotas,
};
pub use rlimit::rlimit;
pub use seccomp::seccomp_available;
pub use setup::{Capabilities, Content, Init, Mount, Privileges, Rlimit, Root, Setup, Source, Stage};
pub use socket::socket_cookie;
pub use timer::{set_timer, timer};
pub use user_namespace::user_namespace;
