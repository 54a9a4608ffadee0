//! `cgroups/cpuset`: a cgroup of its own, for whoever wants to bind the container to processors or memory nodes.
//!
//! Where it begins with those of the cgroup above: in v1 the layer that makes the cgroup copies them, since a cgroup without
//! takes no process; in v2 an empty list means just that.
#![forbid(unsafe_code)]

use crate::isolator::Isolator;
use crate::isolators::Settings;

/// See the module.
#[derive(Debug)]
pub struct Cpuset;

impl Cpuset {
    /// There is nothing to set.
    pub fn new(_settings: &Settings) -> Cpuset {
        Cpuset
    }
}

impl Isolator for Cpuset {
    fn name(&self) -> &str {
        "cgroups/cpuset"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["cpuset"]
    }
}
