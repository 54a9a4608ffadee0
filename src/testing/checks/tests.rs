//! Each fault is found by the check that is for it, and what has none passes.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::error::Error;
use crate::isolator::{Container, Facts, Limitation, Preparation, Watch, Watched};
use crate::isolators;
use crate::proc::Proc;
use crate::protocol::mesos::ResourceStatistics;
use crate::protocol::resources::scalar;
use crate::sys::{set_timer, timer};

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
    OneSlot,
    MoreIsRefused,
    ManyLeak,
    FreesAnothers,
    KillsAtIsolate,
    KillsAtUpdate,
    KillsAtRecover,
    Limits,
    OddVariable,
    NoProgram,
    NoExecutable,
    UpdatesOnce,
}

/// Gives each container one of a few slots, a file each.
struct Slots {
    dir: PathBuf,
    fault: Fault,
    taken: Cell<bool>,
    name: &'static str,
    slots: usize,
}

/// Fewer than lives in a row.
const SLOTS: usize = 4;

/// More than lives in a row.
const MANY: usize = 30;

static NAMES: AtomicU32 = AtomicU32::new(0);

impl Slots {
    fn new(dir: PathBuf, fault: Fault) -> Slots {
        let name = match fault {
            Fault::AnotherName if NAMES.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => "test/other",
            Fault::OddName => "test slots",
            _ => "test/slots",
        };
        let slots = match fault {
            Fault::OneSlot => 1,
            Fault::ManyLeak => MANY,
            _ => SLOTS,
        };
        Slots { dir, fault, taken: Cell::new(false), name, slots }
    }

    fn kill(&self, container: &Container<'_>, fault: Fault) {
        if self.fault == fault {
            let pid = container.first.unwrap().pid;
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            // On a busy machine it takes a while.
            while container.proc.stat(pid).is_some_and(|stat| !Proc::has_ended(&stat)) {
                std::thread::yield_now();
            }
        }
    }

    fn slot(&self, facts: &Facts) -> Result<Option<PathBuf>> {
        let number = std::str::from_utf8(facts).ok().and_then(|text| text.trim_end_matches('+').parse::<usize>().ok());
        match number {
            Some(number) if number < self.slots => Ok(Some(self.dir.join(number.to_string()))),
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
        let free = (0..self.slots).find(|n| !self.dir.join(n.to_string()).exists());
        let free = free.ok_or_else(|| Error::Refused(format!("all {} slots are taken", self.slots)))?;
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
        let mut preparation = Preparation::default();
        match self.fault {
            Fault::OddVariable => preparation.environment.push(("A=B".into(), "c".into())),
            Fault::NoProgram => preparation.argv.push("/nonexistent/program".into()),
            Fault::NoExecutable => preparation.argv.push("/etc/passwd".into()),
            _ => {}
        }
        Ok(preparation)
    }

    fn isolate(&self, container: &Container<'_>, _facts: &Facts) -> Result<()> {
        self.kill(container, Fault::KillsAtIsolate);
        match self.fault {
            Fault::Remembers if !self.taken.get() => Err(Error::Refused("nothing was prepared".into())),
            _ => Ok(()),
        }
    }

    fn watch(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Vec<Watch>> {
        match self.fault {
            Fault::Limits => {
                let fd = timer().unwrap();
                set_timer(fd.as_fd(), Duration::from_millis(500)).unwrap();
                Ok(vec![Watch { fd, events: PollFlags::POLLIN }])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn ready(&self, _container: &Container<'_>, _facts: &Facts, _fd: BorrowedFd<'_>) -> Result<Watched> {
        Ok(Watched::Limited(Limitation { message: "half a second is enough".into(), reason: 19 }))
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.kill(container, Fault::KillsAtUpdate);
        match self.fault {
            Fault::UpdatesOnce if !facts.ends_with(b"+") => {
                // Made and not said beforehand; only recover knows what to do with it.
                let half = self.dir.join(format!("half-{}", container.id.as_str()));
                fs::File::create_new(&half).map_err(Error::path("make", &half))?;
                Ok(Some([&facts[..], b"+"].concat()))
            }
            Fault::MoreIsRefused if scalar(container.resources, "cpus") > Some(1.0) => {
                Err(Error::Refused("there are no more".into()))
            }
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

    fn recover(&self, container: &Container<'_>, _facts: &Facts) -> Result<Option<Facts>> {
        self.kill(container, Fault::KillsAtRecover);
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
            (Fault::Leaks | Fault::ManyLeak, _) => Ok(()),
            (Fault::FreesAnothers, Some(slot)) => {
                // Beside its own: as if the number were not looked at closely.
                let next = (0..self.slots)
                    .map(|n| self.dir.join(n.to_string()))
                    .find(|other| *other != slot && other.exists());
                [Some(slot), next].into_iter().flatten().for_each(|slot| drop(fs::remove_file(slot)));
                Ok(())
            }
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
    // Of what is not tested a slow machine may take long.
    let usage = if fault == Fault::SlowUsage { Duration::from_millis(25) } else { Duration::from_secs(5) };
    Checker::new(move || Box::new(Slots::new(path.clone(), fault)))
        .lives(SLOTS + 2)
        .limit(Duration::from_secs(if fault == Fault::HangsAtGarbage { 5 } else { 60 }))
        .slow(Duration::from_secs(5), usage)
        .run()
}

fn row(report: &Report, name: &str) -> Outcome {
    report
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
        .outcome
        .clone()
}

/// Of a good one: that these, and what takes a process with one thread, were not done.
fn assert_not_done(report: &Report, also: &[(&str, &str)]) {
    report.assert_passed();
    for (name, why) in also {
        assert!(matches!(row(report, name), Outcome::NotDone(text) if text.contains(why)), "{report}");
    }
    let not_done = report.checks.iter().filter(|c| matches!(c.outcome, Outcome::NotDone(_)));
    let others = not_done.filter(|check| also.iter().all(|(name, _)| *name != check.name));
    let others: Vec<&str> = others.map(|check| check.name.as_str()).collect();
    assert!(others.len() == CALLS.len() + 1 && others.iter().all(|name| name.starts_with("kill -9 in ")), "{report}");
}

#[test]
fn an_isolator_without_a_fault_passes() {
    let report = checked(Fault::None);
    assert_not_done(&report, &[]);
    assert_eq!(report.isolator, "test/slots");
    let many = row(&report, "as many at once as there can be");
    assert!(matches!(many, Outcome::Passed(text) if text.starts_with("4, then: ")), "{report}");
}

#[test]
fn an_isolator_may_have_little_to_give() {
    let report = checked(Fault::OneSlot);
    let second = "a second container is refused: ";
    assert_not_done(&report, &[("two containers at once", second), ("facts of another container", second)]);
    let many = row(&report, "as many at once as there can be");
    assert!(matches!(many, Outcome::Passed(text) if text.starts_with("1, then: ")), "{report}");
    let report = checked(Fault::MoreIsRefused);
    assert_not_done(&report, &[]);
    assert!(matches!(row(&report, "update"), Outcome::Passed(text) if text.contains("there are no more")), "{report}");
}

#[test]
fn what_cannot_live_is_not_tried_any_more() {
    let report = checked(Fault::Remembers);
    let last = report.checks.iter().rev().find(|check| check.name != "quickness").unwrap();
    assert!(last.name.starts_with("the rest (3"), "{report}");
    assert_eq!(last.outcome, Outcome::NotDone("a whole life has not passed".into()));
    assert!(report.checks.len() < 6 && !report.is_passed(), "{report}");
}

#[test]
fn each_fault_is_found_by_the_check_that_is_for_it() {
    let faults = [
        (Fault::AnotherName, "name", "the next time"),
        (Fault::OddName, "name", "GROUP/NAME"),
        (Fault::NotHere, "probe", "there are no slots on this host"),
        (Fault::PlanTakes, "crash after plan", "all 4 slots are taken"),
        (Fault::Leaks, "6 lives in a row", "container 4 of 6"),
        (Fault::SecondCleanup, "cleanup twice", "the second cleanup"),
        (Fault::NeedsFacts, "cleanup of what was never planned", "without any facts"),
        (Fault::NeedsSandbox, "cleanup without the sandbox", "no sandbox"),
        (Fault::CleansAll, "two containers at once", "nothing to this one"),
        (Fault::Remembers, "a whole life", "nothing was prepared"),
        (Fault::SlowUsage, "quickness", "usage takes "),
        (Fault::UsageAfterEnd, "usage", "no process to measure"),
        (Fault::MeasuresInSecret, "usage", "measures()"),
        (Fault::Update, "update", "too few"),
        (Fault::Recover, "crash after update", "not after a crash"),
        (Fault::HangsAtGarbage, "facts that are garbage", "it hangs in usage"),
        (Fault::ManyLeak, "as many at once as there can be", "cleanup gives back what it had"),
        (Fault::FreesAnothers, "as many at once as there can be", "two more were launched"),
        (Fault::KillsAtIsolate, "a whole life", "has ended with isolate"),
        (Fault::KillsAtUpdate, "a whole life", "has ended with update"),
        (Fault::KillsAtRecover, "recover", "has ended with recover"),
        (Fault::Limits, "watch", "half a second is enough"),
        (Fault::OddVariable, "a whole life", "equals sign"),
        (Fault::NoProgram, "a whole life", "/nonexistent/program"),
        (Fault::NoExecutable, "a whole life", "no executable file"),
        (Fault::UpdatesOnce, "crash after update, and another", "without recover"),
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
