//! `posix/disk` and `disk/xfs`: what containers use of disks, and what they may use.
#![forbid(unsafe_code)]

mod quota;
mod xfs;

pub use xfs::Xfs;
