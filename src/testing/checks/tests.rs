//! Each fault is found by the check that is for it, and what has none passes.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::error::Error;
use crate::isolator::{Container, Facts, Preparation};
use crate::isolators;
use crate::protocol::mesos::ResourceStatistics;
use crate::protocol::resources::scalar;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    AnotherName,
    OddName,
    NotHere,
    PlanTakes,
    Leaks,
    SecondCleanup,
    NeedsFacts,
    NeedsSandbox,
    CleansAll,
    Remembers,
    SlowUsage,
    UsageAfterEnd,
    MeasuresInSecret,
    Update,
    Recover,
    HangsAtGarbage,
    DiesOfMuch,
}

/// Gives each container one of a few slots, a file each.
struct Slots {
    dir: PathBuf,
    fault: Fault,
    taken: Cell<bool>,
    name: &'static str,
}

/// Fewer than lives in a row.
const SLOTS: usize = 4;

static NAMES: AtomicU32 = AtomicU32::new(0);

impl Slots {
    fn new(dir: PathBuf, fault: Fault) -> Slots {
        let name = match fault {
            Fault::AnotherName if NAMES.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => "test/other",
            Fault::OddName => "test slots",
            _ => "test/slots",
        };
        Slots { dir, fault, taken: Cell::new(false), name }
    }

    fn slot(&self, facts: &Facts) -> Result<Option<PathBuf>> {
        match std::str::from_utf8(facts).ok().and_then(|text| text.parse::<usize>().ok()) {
            Some(number) if number < SLOTS => Ok(Some(self.dir.join(number.to_string()))),
            None if facts.is_empty() && self.fault != Fault::NeedsFacts => Ok(None),
            _ if self.fault == Fault::HangsAtGarbage => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            _ => Err(Error::Refused("these are no facts of mine".into())),
        }
    }
}

impl Isolator for Slots {
    fn name(&self) -> &str {
        self.name
    }

    fn probe(&self) -> Result<()> {
        match self.fault {
            Fault::NotHere => Err(Error::Refused("there are no slots on this host".into())),
            _ => Ok(()),
        }
    }

    fn measures(&self) -> bool {
        self.fault != Fault::MeasuresInSecret
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        assert!(self.fault != Fault::DiesOfMuch || scalar(container.resources, "cpus") < Some(1000.0), "too much");
        let free = (0..SLOTS).find(|n| !self.dir.join(n.to_string()).exists());
        let free = free.ok_or_else(|| Error::Refused(format!("all {SLOTS} slots are taken")))?;
        if self.fault == Fault::PlanTakes {
            fs::write(self.dir.join(free.to_string()), "").unwrap();
        }
        Ok(free.to_string().into_bytes())
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        if let Some(slot) = self.slot(facts)? {
            fs::write(&slot, container.id.as_str()).map_err(Error::path("take", &slot))?;
        }
        self.taken.set(true);
        Ok(Preparation::default())
    }

    fn isolate(&self, _container: &Container<'_>, _facts: &Facts) -> Result<()> {
        match self.fault {
            Fault::Remembers if !self.taken.get() => Err(Error::Refused("nothing was prepared".into())),
            _ => Ok(()),
        }
    }

    fn update(&self, container: &Container<'_>, _facts: &Facts) -> Result<Option<Facts>> {
        match self.fault {
            Fault::Update if scalar(container.resources, "cpus") < Some(1.0) => Err(Error::Refused("too few".into())),
            _ => Ok(None),
        }
    }

    fn usage(&self, container: &Container<'_>, facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        if self.fault == Fault::SlowUsage {
            std::thread::sleep(Duration::from_millis(30));
        }
        let ended = || container.first.is_none_or(|first| container.proc.stat(first.pid).is_none());
        if self.fault == Fault::UsageAfterEnd && ended() {
            return Err(Error::Refused("there is no process to measure".into()));
        }
        if let Some(slot) = self.slot(facts)? {
            let bytes = fs::read(&slot).map_err(Error::path("read", &slot))?;
            statistics.mem_rss_bytes = Some(bytes.len() as u64);
        }
        Ok(())
    }

    fn recover(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Option<Facts>> {
        match self.fault {
            Fault::Recover => Err(Error::Refused("not after a crash".into())),
            _ => Ok(None),
        }
    }

    fn cleanup(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        let slot = self.slot(facts)?;
        match (self.fault, slot) {
            (Fault::NeedsSandbox, _) if !container.sandbox.exists() => Err(Error::Refused("no sandbox".into())),
            (Fault::CleansAll, _) => {
                fs::read_dir(&self.dir).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
                Ok(())
            }
            (_, None) => Ok(()),
            (Fault::Leaks, _) => Ok(()),
            (Fault::SecondCleanup, Some(slot)) => fs::remove_file(&slot).map_err(Error::path("free", &slot)),
            // Perhaps it was given to another container after the first cleanup.
            (_, Some(slot)) => {
                if fs::read(&slot).is_ok_and(|owner| owner == container.id.as_str().as_bytes()) {
                    fs::remove_file(&slot).map_err(Error::path("free", &slot))?;
                }
                Ok(())
            }
        }
    }
}

fn checked(fault: Fault) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    Checker::new(move || Box::new(Slots::new(path.clone(), fault)))
        .lives(SLOTS + 2)
        .limit(Duration::from_secs(3))
        .slow(Duration::from_secs(1), Duration::from_millis(25))
        .run()
}

#[test]
fn an_isolator_without_a_fault_passes() {
    let report = checked(Fault::None);
    report.assert_passed();
    let not_done: Vec<&str> =
        report.checks.iter().filter(|c| matches!(c.outcome, Outcome::NotDone(_))).map(|c| c.name.as_str()).collect();
    assert!(not_done.len() == CALLS.len() && not_done.iter().all(|name| name.starts_with("kill -9 in ")), "{report}");
    assert_eq!(report.isolator, "test/slots");
}

#[test]
fn each_fault_is_found_by_the_check_that_is_for_it() {
    let faults = [
        (Fault::AnotherName, "name", "the next time"),
        (Fault::OddName, "name", "KIND/NAME"),
        (Fault::NotHere, "probe", "there are no slots on this host"),
        (Fault::PlanTakes, "crash after plan", "all 4 slots are taken"),
        (Fault::Leaks, "6 lives in a row", "container 4 of 6"),
        (Fault::SecondCleanup, "cleanup twice", "the second cleanup"),
        (Fault::NeedsFacts, "cleanup of what was never planned", "without any facts"),
        (Fault::NeedsSandbox, "cleanup without the sandbox", "no sandbox"),
        (Fault::CleansAll, "two containers at once", "nothing to this one"),
        (Fault::Remembers, "a whole life", "nothing was prepared"),
        (Fault::SlowUsage, "quickness", "usage takes 3"),
        (Fault::UsageAfterEnd, "usage", "no process to measure"),
        (Fault::MeasuresInSecret, "usage", "measures()"),
        (Fault::Update, "update", "too few"),
        (Fault::Recover, "crash after update", "not after a crash"),
        (Fault::HangsAtGarbage, "facts that are garbage", "it hangs in usage"),
        (Fault::DiesOfMuch, "huge resources", "it panicked in plan"),
    ];
    // Each sleeps most of the time.
    std::thread::scope(|scope| {
        for (fault, name, why) in faults {
            scope.spawn(move || {
                let report = checked(fault);
                let found = report.failed().any(|check| {
                    check.name == name && matches!(&check.outcome, Outcome::Failed(text) if text.contains(why))
                });
                assert!(found, "{fault:?}: {report}");
                assert!(!report.is_passed());
            });
        }
    });
}

#[test]
fn those_built_in_that_work_anywhere_pass() {
    for name in ["posix/cpu", "posix/mem", "posix/disk", "filesystem/posix", "posix/rlimits", "linux/nnp"] {
        let settings = crate::testing::settings().unwrap();
        let make = move || isolators::make(&[name.to_owned()], &settings).map(|mut list| list.remove(0));
        Checker::fallible(make).lives(3).run().assert_passed();
    }
}
