//! When is looked, what may be listened on, and what becomes of who listens on something else.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::set::PortSet;
use crate::config::NetworkPorts;
use crate::error::{Error, Result};
use crate::isolator::Facts;
use crate::protocol::mesos::Resource;
use crate::protocol::resources;

/// Those that a container was launched with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    /// From the end of a look to the next.
    pub(super) interval: Duration,
    /// Whether who breaks them is ended.
    pub(super) enforce: bool,
    /// Where nobody else may listen; all others are free to all.
    guarded: PortSet,
}

impl Rules {
    /// Of the flags in force.
    ///
    /// # Errors
    /// Two of them contradict each other.
    pub(super) fn new(flags: &NetworkPorts) -> Result<Rules> {
        let guarded = match (flags.check_agent_port_range_only, &flags.container_ports_isolated_range) {
            (true, Some(_)) => {
                return Err(Error::Refused(
                    "--check_agent_port_range_only and --container_ports_isolated_range each say which ports are \
                     guarded; leave one out"
                        .into(),
                ));
            }
            (true, None) => Some(&flags.agent_ports),
            (false, range) => range.as_ref(),
        };
        let ranges = |range: &crate::config::PortRanges| {
            PortSet::of(range.ranges().iter().map(|range| u64::from(*range.start())..=u64::from(*range.end())))
        };
        Ok(Rules {
            interval: flags.container_ports_watch_interval,
            enforce: flags.enforce_container_ports,
            guarded: guarded.map_or_else(PortSet::all, ranges),
        })
    }

    /// As one line of text.
    pub(super) fn facts(&self) -> Facts {
        let mut text = format!("{} {}", self.interval.as_nanos(), u8::from(self.enforce));
        for range in self.guarded.ranges() {
            text.push_str(&format!(" {}-{}", range.start(), range.end()));
        }
        text.push('\n');
        text.into_bytes()
    }

    /// From [`Rules::facts`].
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn of(facts: &Facts) -> Result<Rules> {
        let read = || {
            let mut words = std::str::from_utf8(facts).ok()?.split_whitespace();
            let interval = Duration::from_nanos(words.next()?.parse().ok()?);
            let enforce = words.next()?.parse::<u8>().ok()? != 0;
            let range = |word: &str| {
                let (first, last) = word.split_once('-')?;
                Some(first.parse().ok()?..=last.parse().ok()?)
            };
            let guarded = PortSet::of(words.map(range).collect::<Option<Vec<_>>>()?);
            Some(Rules { interval, enforce, guarded })
        };
        read().ok_or_else(|| Error::Refused("the facts of network/ports cannot be read".into()))
    }

    /// Where a container with these resources may not listen.
    pub(super) fn forbidden(&self, resources: &[Resource]) -> PortSet {
        self.guarded.clone().without(&PortSet::of(resources::ranges(resources, "ports")))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings, Untrusted};
    use crate::protocol::resources::text;

    pub(in super::super) fn flags(variables: &[(&str, &str)]) -> NetworkPorts {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::resolve(&Settings::default(), variables, &Untrusted::default()).unwrap().0.network_ports
    }

    const ONLY: (&str, &str) = ("MESOS_ECP_CHECK_AGENT_PORT_RANGE_ONLY", "true");
    const AGENT: (&str, &str) = ("MESOS_ECP_AGENT_PORTS", "[5000-5999,8000-8000]");
    const RANGE: (&str, &str) = ("MESOS_ECP_CONTAINER_PORTS_ISOLATED_RANGE", "[0-35000]");

    #[test]
    fn facts_keep_the_rules() {
        for variables in [&[][..], &[RANGE], &[ONLY, AGENT], &[("MESOS_ECP_ENFORCE_CONTAINER_PORTS", "true")]] {
            let rules = Rules::new(&flags(variables)).unwrap();
            assert_eq!(Rules::of(&rules.facts()).unwrap(), rules);
            assert_eq!(rules.enforce, variables.iter().any(|(name, _)| name.contains("ENFORCE")));
        }
        for bad in ["", "1", "1 0 5", "1 0 5-x", "x 0 5-6"] {
            assert!(Rules::of(&bad.as_bytes().to_vec()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_neither_allocated_nor_free_to_all_is_forbidden() {
        let forbidden = |variables: &[_], resources: &str| {
            Rules::new(&flags(variables)).unwrap().forbidden(&text::parse(resources).unwrap()).to_string()
        };
        assert_eq!(forbidden(&[], "cpus:1"), "[0-65535]");
        assert_eq!(forbidden(&[], "ports:[80-80,100-200];ports(role):[201-300]"), "[0-79, 81-99, 301-65535]");
        assert_eq!(forbidden(&[RANGE], "ports:[80-80,40000-40000]"), "[0-79, 81-35000]");
        assert_eq!(forbidden(&[ONLY], "ports:[31005-31007]"), "[31000-31004, 31008-32000]");
        assert_eq!(forbidden(&[ONLY, AGENT], "ports:[5000-5998]"), "[5999-5999, 8000-8000]");
        assert_eq!(forbidden(&[AGENT], "ports:[1-65535]"), "[0-0]", "the agent's ports alone say nothing");
    }

    #[test]
    fn two_ranges_are_refused() {
        let error = Rules::new(&flags(&[ONLY, RANGE])).unwrap_err().to_string();
        assert!(error.contains("--check_agent_port_range_only") && error.contains("leave one out"), "{error}");
    }
}
