//! Somebody is killed at each point of each kind of life.
//!
//! The suite takes each point once, and of those that are passed many times the first and the last time, alone or all together in turns.
//! With `ECP_SWEEP=all` (`scripts/crash-sweep`) everything is tried: each time, alone and all together, with either way in which an
//! agent goes on. `ECP_SWEEP_ONLY` picks some.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::arms::{Arms, Point};
use super::kit::Kit;
use super::lives::{When, live};
use super::points::{Points, assert_listed, is_sometimes, passed};
use crate::agent::{cgroups, need_root, skip};
use crate::cgroups::private::{can_be_mounted, in_namespaces_of_its_own};

/// How many lives at the same time: most of each is waiting.
const WORKERS: usize = 6;

/// One death.
#[derive(Clone, Debug)]
pub struct Shot {
    pub when: When,
    pub point: Point,
    /// Whether all of the program's processes die with the one that passes the point.
    pub all: bool,
    pub other: bool,
}

/// Those of the suite, or all that there can be.
fn shots(points: &Points, complete: bool) -> Vec<Shot> {
    let mut shots = Vec::new();
    for (when, points) in points {
        let last: BTreeMap<_, _> = points.iter().map(|point| (&point.name, point.at)).collect();
        for (number, point) in points.iter().enumerate() {
            let shot = |all, other| Shot { when: *when, point: point.clone(), all, other };
            if complete {
                shots.extend([shot(false, false), shot(true, false), shot(false, true), shot(true, true)]);
            } else if point.at == 1 || point.at == last[&point.name] {
                shots.push(shot(number / 2 % 2 == 1, number / 4 % 2 == 1));
            }
        }
    }
    shots
}

/// What came of a shot: whether it killed, or what did not hold.
pub fn fire(kit: &Kit, shot: &Shot, weakened: Option<&'static str>) -> Result<bool, String> {
    let fired = catch_unwind(AssertUnwindSafe(|| {
        let place = kit.place();
        let arms = Arms::Death {
            point: shot.point.clone(),
            mark: place.agent.path("mark"),
            all: shot.all.then(|| place.agent.path("all")),
            weakened,
        };
        live(shot.when, &place, &arms, shot.other);
        arms.is_spent()
    }));
    fired.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or("a panic".to_owned(), |text| (*text).to_owned()),
    })
}

fn sweep(kit: &Kit, points: &Points) {
    let complete = std::env::var("ECP_SWEEP").is_ok_and(|what| what == "all");
    // To see one of them again: `Update:facts`, say.
    let only = std::env::var("ECP_SWEEP_ONLY").unwrap_or_default();
    let mut shots = shots(points, complete);
    shots.retain(|shot| format!("{:?}:{}", shot.when, shot.point.name).contains(&only));
    let (next, failed, killed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    let count = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(shot) = shots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match fire(kit, shot, None) {
                        Ok(true) => {
                            count.fetch_add(1, Ordering::Relaxed);
                            killed.lock().unwrap().insert((shot.when, shot.point.name.clone()));
                        }
                        Ok(false) => {}
                        // Said at once, too: the rest may take long.
                        Err(why) => {
                            println!("FAILED: {shot:?}");
                            failed.lock().unwrap().push(format!("{shot:?}: {why}"));
                        }
                    }
                }
            });
        }
    });
    let (failed, killed) = (failed.into_inner().unwrap(), killed.into_inner().unwrap());
    let (count, took) = (count.into_inner(), begin.elapsed());
    println!("{}: {} deaths at {} points in {took:?}, {} failed", kit.name, count, killed.len(), failed.len());
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), shots.len(), failed.join("\n"));
    let missed: BTreeSet<_> = shots.iter().map(|shot| (shot.when, shot.point.name.clone())).collect();
    let missed: Vec<_> = missed.difference(&killed).filter(|(_, name)| !is_sometimes(name)).collect();
    assert!(missed.is_empty(), "nobody was killed at {missed:?}");
}

#[test]
fn everything() {
    need_root!();
    let controllers = ["net_cls", "perf_event"];
    if controllers.iter().any(|c| !can_be_mounted(c) || cgroups::is_v1(c)) {
        skip!("the hierarchies of net_cls and perf_event cannot be mounted for it alone");
    }
    let directory = in_namespaces_of_its_own!();
    let kit = Kit::everything(&directory);
    {
        // The first of all mounts the hierarchies.
        let place = kit.place();
        let container = place.task().launch();
        container.destroy();
        container.wait();
    }
    let points = passed(&kit);
    assert_listed(&points, cgroups::is_v1("memory"));
    sweep(&kit, &points);
}

#[test]
fn a_cheap_set() {
    need_root!();
    let kit = Kit::cheap();
    let points = passed(&kit);
    sweep(&kit, &points);
}
