//! `posix/disk` and `disk/xfs`: what containers use of disks, and what they may use.
#![forbid(unsafe_code)]

mod du;
mod figures;
mod looking;
mod quota;
mod schedule;
mod turns;
mod walker;
mod xfs;

pub use du::Du;
pub use xfs::Xfs;
