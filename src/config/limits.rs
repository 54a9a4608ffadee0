//! The settings that have to do with what a container's process may do and use.
#![forbid(unsafe_code)]

use super::capability::Capabilities;
use super::error::ConfigError;
use super::flags::limits as flags;
use super::rlimit::{self, Limit};
use super::sources::Sources;
use super::values::ValueError;

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of containers whose record asks for nothing else. Absent: what their user has by itself.
    pub effective_capabilities: Option<Capabilities>,
    /// At most. Absent: a container's effective ones, or whatever there is.
    pub bounding_capabilities: Option<Capabilities>,
    /// Of containers whose record says nothing else; each resource once. Others are as they are.
    pub default_rlimits: Vec<Limit>,
    /// At most 0o777.
    pub umask: u32,
    /// From -1000 to 1000. Absent: 0 if it can be had.
    pub oom_score_adj: Option<i32>,
}

impl Limits {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Limits, ConfigError> {
        Ok(Limits {
            effective_capabilities: sources.optional(&flags::EFFECTIVE_CAPABILITIES, capabilities)?,
            bounding_capabilities: sources.optional(&flags::BOUNDING_CAPABILITIES, capabilities)?,
            default_rlimits: sources.optional(&flags::DEFAULT_RLIMITS, rlimits)?.unwrap_or_default(),
            umask: sources.value(&flags::UMASK, umask)?,
            oom_score_adj: sources.optional(&flags::OOM_SCORE_ADJ, oom_score_adj)?,
        })
    }
}

fn capabilities(text: &str) -> Result<Capabilities, ValueError> {
    Ok(Capabilities::parse(text)?)
}

fn rlimits(text: &str) -> Result<Vec<Limit>, ValueError> {
    Ok(rlimit::parse(text)?)
}

/// One to four octal digits: neither signs nor special bits, which umask(2) would drop without a word.
fn umask(text: &str) -> Result<u32, ValueError> {
    let octal = (1..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mask = u32::from_str_radix(text, 8).ok().filter(|mask| octal && *mask <= 0o777);
    mask.ok_or(ValueError::Umask)
}

fn oom_score_adj(text: &str) -> Result<i32, ValueError> {
    text.parse().ok().filter(|n| (-1000..=1000).contains(n) && !text.starts_with('+')).ok_or(ValueError::OomScoreAdj)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn umasks_are_octal() {
        for (text, mask) in [("022", 0o22), ("0", 0), ("77", 0o77), ("0777", 0o777), ("0027", 0o27)] {
            assert_eq!(umask(text), Ok(mask), "{text}");
        }
        for text in ["", "1000", "1777", "00022", "8", "0x1", "+22", "-1", "u=rwx"] {
            assert_eq!(umask(text), Err(ValueError::Umask), "{text}");
        }
    }

    #[test]
    fn scores_have_bounds() {
        for (text, score) in [("-1000", -1000), ("0", 0), ("1000", 1000)] {
            assert_eq!(oom_score_adj(text), Ok(score), "{text}");
        }
        for text in ["", "-1001", "1001", "+5", "1.5", "x"] {
            assert_eq!(oom_score_adj(text), Err(ValueError::OomScoreAdj), "{text}");
        }
    }
}
