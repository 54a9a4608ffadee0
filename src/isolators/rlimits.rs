//! `posix/rlimits`: the limits of getrlimit(2).
#![forbid(unsafe_code)]

use super::Settings;
use crate::config::rlimit::{Limit, only_once};
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Preparation, Privileges, Rlimit};
use crate::protocol::mesos::RLimitInfo;

/// The isolator.
pub struct Rlimits {
    default: Vec<Limit>,
}

impl Rlimits {
    pub(super) fn new(settings: &Settings) -> Rlimits {
        Rlimits { default: settings.limits.default_rlimits.clone() }
    }

    /// The record's, and of the flag's those that the record does not set.
    fn limits(&self, record: Option<&RLimitInfo>) -> Result<Vec<Limit>> {
        let refused = |why| Error::Refused(format!("the task's rlimit_info: {why}"));
        let asked = record.map(|record| record.rlimits.as_slice()).unwrap_or_default().iter();
        // Not the accessor, which makes UNKNOWN of numbers that it does not know.
        let asked = asked.map(|l| Limit::of_record(l.r#type.unwrap_or_default(), l.soft, l.hard));
        let mut limits: Vec<Limit> = asked.collect::<std::result::Result<_, _>>().map_err(refused)?;
        only_once(&limits).map_err(refused)?;
        let of_record = limits.len();
        for limit in &self.default {
            if !limits[..of_record].iter().any(|asked| asked.resource == limit.resource) {
                limits.push(*limit);
            }
        }
        Ok(limits)
    }
}

impl Isolator for Rlimits {
    fn name(&self) -> &str {
        "posix/rlimits"
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let info = container.asked.and_then(|asked| asked.container());
        let limits = self.limits(info.and_then(|info| info.rlimit_info.as_ref()))?;
        let rlimits = limits.into_iter().map(Rlimit::from).collect();
        Ok(Preparation { privileges: Privileges { rlimits, ..Privileges::default() }, ..Preparation::default() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::rlimit::parse;
    use crate::protocol::mesos::r_limit_info::RLimit;

    fn limits(flag: &str, record: &[(i32, Option<u64>, Option<u64>)]) -> std::result::Result<String, String> {
        let isolator = Rlimits { default: if flag.is_empty() { vec![] } else { parse(flag).unwrap() } };
        let limit = |(kind, soft, hard): &(i32, Option<u64>, Option<u64>)| RLimit {
            r#type: Some(*kind),
            soft: *soft,
            hard: *hard,
        };
        let info = RLimitInfo { rlimits: record.iter().map(limit).collect() };
        let found = isolator.limits(Some(&info)).map_err(|e| e.to_string())?;
        Ok(found.iter().map(Limit::to_string).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn the_record_comes_before_the_flag() {
        assert_eq!(limits("", &[]).unwrap(), "");
        assert_eq!(limits("CORE=0,NOFILE=1:2", &[]).unwrap(), "CORE=0,NOFILE=1:2");
        assert_eq!(limits("CORE=0,NOFILE=1:2", &[(10, Some(3), Some(4))]).unwrap(), "NOFILE=3:4,CORE=0");
        assert_eq!(limits("CORE=0", &[(2, None, None)]).unwrap(), "CORE=unlimited");
        let isolator = Rlimits { default: parse("CORE=0").unwrap() };
        assert_eq!(isolator.limits(None).unwrap(), parse("CORE=0").unwrap());
    }

    #[test]
    fn what_is_wrong_in_the_record_is_said() {
        for (record, says) in [
            ([(2, Some(1), None), (3, None, None)], "CORE has only one of soft and hard"),
            ([(2, Some(2), Some(1)), (3, None, None)], "CORE: the soft limit is above"),
            ([(2, None, None), (2, None, None)], "CORE stands twice"),
            ([(2, None, None), (17, None, None)], "has the type 17"),
            ([(2, None, None), (0, None, None)], "has the type 0"),
        ] {
            let error = limits("", &record).unwrap_err();
            assert!(error.starts_with("the task's rlimit_info: ") && error.contains(says), "{error}");
        }
    }
}
