//! The settings that have to do with user namespaces.
#![forbid(unsafe_code)]

use super::error::ConfigError;
use super::flags::userns as flags;
use super::sources::Sources;
use super::values::ValueError;

/// Ids of the host that stand for those of a container from 0 on: `--userns_range`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// What the container's 0 is outside. At least 65536.
    pub first: u32,
    /// How many there are. At least one; the last is at most 4294967294.
    pub size: u32,
}

impl IdRange {
    /// The ids below this one are of the host's own accounts.
    const HOSTS_OWN: u32 = 1 << 16;

    /// `FIRST-LAST`, both included.
    pub(super) fn parse(text: &str) -> Result<IdRange, ValueError> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let (first, last) = text.split_once('-').ok_or(ValueError::IdRange)?;
        let (first, last) = number(first).zip(number(last)).ok_or(ValueError::IdRange)?;
        if first < IdRange::HOSTS_OWN || last < first || last == u32::MAX {
            return Err(ValueError::IdRange);
        }
        Ok(IdRange { first, size: last - first + 1 })
    }

    /// What an id inside is outside; None: it is not among them.
    pub fn outside(self, inside: u32) -> Option<u32> {
        (inside < self.size).then(|| self.first + inside)
    }

    /// Whether an id of the host is among them.
    pub fn has_outside(self, id: u32) -> bool {
        id >= self.first && id - self.first < self.size
    }
}

/// As on the command line.
impl std::fmt::Display for IdRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.first + (self.size - 1))
    }
}

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Userns {
    /// Absent: no container can have a user namespace.
    pub userns_range: Option<IdRange>,
}

impl Userns {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Userns, ConfigError> {
        Ok(Userns { userns_range: sources.optional(&flags::USERNS_RANGE, IdRange::parse)? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_range_is_above_the_hosts_own_ids() {
        let range = IdRange::parse("65536-131071").unwrap();
        assert_eq!((range, range.to_string().as_str()), (IdRange { first: 65536, size: 65536 }, "65536-131071"));
        assert_eq!((range.outside(0), range.outside(65535), range.outside(65536)), (Some(65536), Some(131_071), None));
        assert_eq!([65535, 65536, 131_071, 131_072].map(|id| range.has_outside(id)), [false, true, true, false]);
        assert_eq!(IdRange::parse("4294967294-4294967294").unwrap().outside(0), Some(4_294_967_294));
        for bad in ["", "65536", "-1-7", "65535-70000", "0-65535", "70000-69999", "70000-4294967295", "+70000-80000"] {
            assert_eq!(IdRange::parse(bad), Err(ValueError::IdRange), "{bad}");
        }
    }
}
