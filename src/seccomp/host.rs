//! The host that a profile is compiled for.
#![forbid(unsafe_code)]

use super::abi::Abi;
use super::profile::{Architectures, Profile, Rule};

/// What rules may ask for by `includes` and `excludes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The kernel's own interface.
    pub native: Abi,
    /// The kernel's version: 6 and 1 for 6.1.
    pub kernel: (u32, u32),
    /// Bits of the capabilities that the filtered processes can have at most.
    pub capabilities: u64,
}

impl Host {
    /// Whether the rule counts.
    pub(super) fn has(&self, rule: &Rule<'_>) -> bool {
        let (needs, must_not) = (&rule.includes, &rule.excludes);
        let is_named = |names: &[String]| names.iter().any(|name| name == self.native.go_name());
        needs.capabilities & !self.capabilities == 0
            && (needs.architectures.is_empty() || is_named(&needs.architectures))
            && needs.min_kernel.is_none_or(|least| self.kernel >= least)
            && must_not.capabilities & self.capabilities == 0
            && !is_named(&must_not.architectures)
            && must_not.min_kernel.is_none_or(|least| self.kernel < least)
    }

    /// The interfaces that rules are for, the own one first.
    pub(super) fn abis(&self, profile: &Profile<'_>) -> Vec<Abi> {
        let named: &[Abi] = match &profile.architectures {
            Architectures::List(list) => list,
            Architectures::Map(map) => {
                map.iter().find(|(native, _)| *native == Some(self.native)).map_or(&[], |(_, others)| others)
            }
        };
        let others = self.native.others().iter().copied().filter(|abi| named.contains(abi));
        std::iter::once(self.native).chain(others).collect()
    }

    /// `6.1.0-18-amd64` as 6 and 1: what uname(2) calls the release.
    pub fn kernel_version(release: &str) -> Option<(u32, u32)> {
        let (major, rest) = release.split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}
