//! `filesystem/posix`: the container sees the host's file systems as they are. Volumes and images are refused by launch.
#![forbid(unsafe_code)]

use crate::isolator::Isolator;

/// See the module.
#[derive(Debug)]
pub struct Posix;

impl Isolator for Posix {
    fn name(&self) -> &str {
        super::POSIX
    }

    fn measures(&self) -> bool {
        false
    }
}
