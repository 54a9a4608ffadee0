//! Isolators of the file system that a container sees.
#![forbid(unsafe_code)]

pub mod root;
