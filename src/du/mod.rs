//! How much space a directory tree takes, as `du -k -s -x` counts it: allocated blocks, files with several names once,
//! symbolic links themselves, no other mounts.
//!
//! Made for trees that somebody else changes meanwhile, perhaps to harm: a [`Walk`] has a bounded number of descriptors at any
//! depth and width, 8 to 16 bytes of memory for each directory, each file with several names and each large one, and 32 to 96
//! for each level of depth, never leaves the mount that it began on, and ends whatever is made, moved and removed under way. This room knows nothing of containers.
#![forbid(unsafe_code)]

mod inodes;
mod level;
mod walk;

#[cfg(test)]
mod tests;

pub use walk::Walk;
