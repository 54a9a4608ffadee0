//! `linux/capabilities`: what a container has, and what it may ever get by executing programs.
#![forbid(unsafe_code)]

use caps::{CapSet, Capability};

use super::Settings;
use crate::config::capability::Capabilities as Set;
use crate::error::{Error, Result};
use crate::isolator::{Capabilities, Container, Facts, Isolator, Preparation, Privileges};
use crate::protocol::mesos::{CapabilityInfo, LinuxInfo};

/// What mesos.CapabilityInfo adds to the kernel's numbers.
const OFFSET: i32 = 1000;

/// The isolator.
pub struct LinuxCapabilities {
    effective: Option<Set>,
    bounding: Option<Set>,
}

/// What a container gets; None where nothing says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    effective: Option<Set>,
    bounding: Option<Set>,
}

impl LinuxCapabilities {
    pub(super) fn new(settings: &Settings) -> LinuxCapabilities {
        LinuxCapabilities {
            effective: settings.limits.effective_capabilities,
            bounding: settings.limits.bounding_capabilities,
        }
    }

    /// The record's before the flags'. Whatever is effective is in the bounding set, too, and that is as small as it can be.
    fn wanted(&self, record: Option<&LinuxInfo>) -> Result<Wanted> {
        let set = |info: Option<&CapabilityInfo>| info.map(of_record).transpose();
        // The older name of the same.
        let effective = record.and_then(|r| r.effective_capabilities.as_ref().or(r.capability_info.as_ref()));
        let (effective, bounding) = (set(effective)?, set(record.and_then(|r| r.bounding_capabilities.as_ref()))?);
        if let Some(most) = self.bounding {
            within("the task's linux_info asks for", effective, most, "--bounding_capabilities")?;
            within("the task's linux_info asks for the bounding", bounding, most, "--bounding_capabilities")?;
        }
        let effective = effective.or(self.effective);
        let bounding = bounding.or(self.bounding).or(effective);
        if let Some(most) = bounding {
            within("the container is to have", effective, most, "the bounding set")?;
        }
        Ok(Wanted { effective, bounding })
    }
}

impl Isolator for LinuxCapabilities {
    fn name(&self) -> &str {
        "linux/capabilities"
    }

    fn probe(&self) -> Result<()> {
        if let (Some(_), Some(bounding)) = (self.effective, self.bounding) {
            within("--effective_capabilities has", self.effective, bounding, "--bounding_capabilities")?;
        }
        if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).unwrap_or(false) {
            return Err(Error::Refused(
                "it takes CAP_SETPCAP, which mesos-ecp does not have here: run the agent as root".into(),
            ));
        }
        Ok(())
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let info = container.asked.and_then(|asked| asked.container());
        let wanted = self.wanted(info.and_then(|info| info.linux_info.as_ref()))?;
        let is_root = container.asked.is_none_or(|asked| asked.account.owner().0.is_root());
        let capabilities = sets(&wanted, is_root, permitted()?);
        Ok(Preparation { privileges: Privileges { capabilities, ..Privileges::default() }, ..Preparation::default() })
    }
}

/// The sets that have to be there before the exec so that those that are wanted are there after it. `own`: what the program
/// itself may have.
fn sets(wanted: &Wanted, is_root: bool, own: Set) -> Option<Capabilities> {
    let bounding = wanted.bounding?;
    let (bounding, permitted, ambient) = match wanted.effective {
        // When root executes something, it gets the whole bounding set. So there is no difference between the two for it.
        Some(effective) if is_root => (effective, effective, Set::NONE),
        None if is_root => (bounding, bounding.and(own), Set::NONE),
        // Another user keeps what is ambient.
        Some(effective) => (bounding, effective, effective),
        None => (bounding, Set::NONE, Set::NONE),
    };
    Some(Capabilities { bounding: bounding.bits, permitted: permitted.bits, ambient: ambient.bits })
}

/// What a container has that is never to have `dropped`, and else what it would have.
///
/// # Errors
/// Those of capget(2).
pub(super) fn all_but(dropped: Set, is_root: bool) -> Result<Option<Capabilities>> {
    let wanted = Wanted { effective: None, bounding: Some(Set::KNOWN.without(dropped)) };
    Ok(sets(&wanted, is_root, permitted()?))
}

fn within(who: &str, set: Option<Set>, most: Set, whose: &str) -> Result<()> {
    let beyond = set.unwrap_or_default().without(most);
    if beyond.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{who} capabilities beyond {whose}, which is {most}: {beyond}; leave them out or allow them"
    )))
}

fn of_record(info: &CapabilityInfo) -> Result<Set> {
    let mut set = Set::NONE;
    for number in &info.capabilities {
        let bit = number.checked_sub(OFFSET).and_then(|n| u32::try_from(n).ok()).and_then(|n| 1u64.checked_shl(n));
        match bit.map(|bits| Set { bits }).filter(|one| one.without(Set::KNOWN).is_empty()) {
            Some(one) => set.bits |= one.bits,
            None => {
                return Err(Error::Refused(format!(
                    "the task's linux_info asks for capability {number}, which is none of those from {OFFSET} (CHOWN) on that \
                     mesos.CapabilityInfo has"
                )));
            }
        }
    }
    Ok(set)
}

/// What this process has, and so may give.
///
/// # Errors
/// Those of capget(2).
pub fn permitted() -> Result<Set> {
    let found = caps::read(None, CapSet::Permitted)
        .map_err(|e| Error::Refused(format!("cannot read this process's capabilities: {e}")))?;
    Ok(Set { bits: found.iter().map(Capability::bitmask).sum() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(text: &str) -> Set {
        Set::parse(text).unwrap()
    }

    fn info(text: &str) -> CapabilityInfo {
        let set = set(text);
        CapabilityInfo { capabilities: (0..64).filter(|n| set.has(*n as u32)).map(|n: i32| n + OFFSET).collect() }
    }

    /// Flags and record, `-` for unset.
    fn wanted(flags: (&str, &str), record: (&str, &str)) -> std::result::Result<(String, String), String> {
        let some = |text: &str| (text != "-").then(|| text.to_owned());
        let isolator = LinuxCapabilities {
            effective: some(flags.0).map(|text| set(&text)),
            bounding: some(flags.1).map(|text| set(&text)),
        };
        let record = LinuxInfo {
            effective_capabilities: some(record.0).map(|text| info(&text)),
            bounding_capabilities: some(record.1).map(|text| info(&text)),
            capability_info: Some(info("SYS_BOOT")).filter(|_| record.0 == "SYS_BOOT"),
        };
        let shown = |set: Option<Set>| set.map_or("-".to_owned(), |set| set.to_string());
        let wanted = isolator.wanted(Some(&record)).map_err(|e| e.to_string())?;
        assert!(isolator.wanted(None).is_ok());
        Ok((shown(wanted.effective), shown(wanted.bounding)))
    }

    #[test]
    fn the_record_comes_before_the_flags() {
        for (flags, record, expected) in [
            (("-", "-"), ("-", "-"), ("-", "-")),
            (("KILL", "-"), ("-", "-"), ("KILL", "KILL")),
            (("none", "-"), ("-", "-"), ("none", "none")),
            (("-", "KILL,CHOWN"), ("-", "-"), ("-", "CHOWN,KILL")),
            (("KILL", "KILL,CHOWN"), ("-", "-"), ("KILL", "CHOWN,KILL")),
            (("KILL", "KILL,CHOWN"), ("CHOWN", "-"), ("CHOWN", "CHOWN,KILL")),
            (("KILL", "KILL,CHOWN"), ("none", "none"), ("none", "none")),
            (("KILL", "KILL,CHOWN"), ("-", "KILL"), ("KILL", "KILL")),
            // Without --bounding_capabilities a task gets what it asks for.
            (("KILL", "-"), ("SYS_BOOT", "-"), ("SYS_BOOT", "SYS_BOOT")),
        ] {
            let found = wanted(flags, record).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_str()), expected, "{flags:?} {record:?}");
        }
    }

    #[test]
    fn nobody_gets_more_than_is_allowed() {
        for (flags, record, says) in [
            (
                ("-", "KILL"),
                ("KILL,CHOWN", "-"),
                "asks for capabilities beyond --bounding_capabilities, which is KILL: CHOWN",
            ),
            (
                ("-", "none"),
                ("-", "CHOWN"),
                "asks for the bounding capabilities beyond --bounding_capabilities, which is none",
            ),
            (
                ("KILL", "KILL,CHOWN"),
                ("-", "CHOWN"),
                "is to have capabilities beyond the bounding set, which is CHOWN: KILL",
            ),
            (("-", "-"), ("KILL", "CHOWN"), "beyond the bounding set"),
        ] {
            let error = wanted(flags, record).unwrap_err();
            assert!(error.contains(says), "{flags:?} {record:?}: {error}");
        }
        for number in [0, 1, 999, 1041, 1063, 1064, i32::MAX, i32::MIN, -1] {
            let error = of_record(&CapabilityInfo { capabilities: vec![1005, number] }).unwrap_err().to_string();
            assert!(error.contains(&format!("capability {number},")), "{error}");
        }
    }

    #[test]
    fn the_older_name_of_the_record_counts_if_it_is_alone() {
        let isolator = LinuxCapabilities { effective: None, bounding: None };
        let older = LinuxInfo { capability_info: Some(info("KILL")), ..LinuxInfo::default() };
        assert_eq!(isolator.wanted(Some(&older)).unwrap().effective, Some(set("KILL")));
        let both = LinuxInfo { effective_capabilities: Some(info("none")), ..older };
        assert_eq!(isolator.wanted(Some(&both)).unwrap().effective, Some(Set::NONE));
    }

    #[test]
    fn root_and_others_need_different_sets_before_the_exec() {
        let own = set("KILL,CHOWN,BPF");
        let found = |effective: Option<&str>, bounding: &str, is_root| {
            let wanted = Wanted { effective: effective.map(set), bounding: Some(set(bounding)) };
            let sets = sets(&wanted, is_root, own).unwrap();
            [sets.bounding, sets.permitted, sets.ambient].map(|bits| Set { bits }.to_string()).join(" ")
        };
        assert_eq!(found(Some("KILL"), "KILL,CHOWN", false), "CHOWN,KILL KILL KILL");
        assert_eq!(found(Some("KILL"), "KILL,CHOWN", true), "KILL KILL none");
        assert_eq!(found(None, "KILL,SYS_BOOT", false), "KILL,SYS_BOOT none none");
        assert_eq!(found(None, "KILL,SYS_BOOT", true), "KILL,SYS_BOOT KILL none");
        assert_eq!(sets(&Wanted { effective: None, bounding: None }, true, own), None);
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let isolator = LinuxCapabilities { effective: Some(set("KILL,CHOWN")), bounding: Some(set("KILL")) };
        let error = isolator.probe().unwrap_err().to_string();
        assert!(error.contains("--effective_capabilities has capabilities beyond --bounding_capabilities"), "{error}");
    }
}
