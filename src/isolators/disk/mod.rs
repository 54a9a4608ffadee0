//! `posix/disk` and `disk/xfs`: what containers use of disks, and what they may use.
#![forbid(unsafe_code)]

mod du;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod looking;
mod quota;
mod schedule;
mod turns;
mod walker;
mod xfs;

use super::AtMostOne;

pub use du::Du;
pub use xfs::Xfs;

/// One container has one of them: both would say what it uses, and each enforce it.
pub(super) const SPACE: AtMostOne =
    AtMostOne { names: &["posix/disk", "disk/du", "disk/xfs"], why: "a container has one isolator for disk space" };
