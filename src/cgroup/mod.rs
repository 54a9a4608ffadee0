//! A thin layer over the kernel's control groups, v1, v2 and both side by side. It knows nothing of containers.
//!
//! [`Hierarchies`] says which controller is mounted where, [`Cgroup`] is one open directory with its control files,
//! [`make`], [`kill`] and [`remove`] work on whole subtrees. Errors name the operation, the file and the kernel's answer.
#![forbid(unsafe_code)]

pub mod devices;
mod dir;
mod freezer;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hierarchy;
mod keyed;
mod kill;
mod lock;
mod make;
mod mount;
mod mountinfo;
mod own;
mod remove;
mod walk;

/// The mounts that this process sees.
pub const MOUNTINFO: &str = "/proc/self/mountinfo";

pub use dir::Cgroup;
pub use hierarchy::{Hierarchies, Hierarchy};
pub use keyed::{keyed, number};
pub use kill::{dies_at_a_word, is_empty, kill, pids};
pub use lock::lock;
pub use make::{make, while_gone};
pub use mount::mount;
pub use mountinfo::mounted_below;
pub use own::own_path;
pub use remove::remove;
pub use walk::{walk, walk_where};
