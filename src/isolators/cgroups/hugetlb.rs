//! `cgroups/hugetlb`: a cgroup of the container's own for huge pages. It sets no limit and measures nothing.
#![forbid(unsafe_code)]

use crate::isolator::Isolator;
use crate::isolators::Settings;

/// See the module.
#[derive(Debug)]
pub struct Hugetlb;

impl Hugetlb {
    /// With the settings in force.
    pub fn new(_settings: &Settings) -> Hugetlb {
        Hugetlb
    }
}

impl Isolator for Hugetlb {
    fn name(&self) -> &str {
        "cgroups/hugetlb"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["hugetlb"]
    }
}
