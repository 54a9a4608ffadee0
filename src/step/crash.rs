//! Dying at a point, for tests that were built with the feature `crash-points`. What they ask for is in the environment:
//!
//! | variable | what it says |
//! |--|--|
//! | `ECP_STEPS` | the file that the points passed are appended to |
//! | `ECP_CRASH` | at which point to die |
//! | `ECP_CRASH_AT` | which time it is passed by this process; without it the first |
//! | `ECP_CRASH_ONCE` | a file that whoever dies makes before: where it is there already, nobody dies |
//! | `ECP_CRASH_ALL` | a file in which all processes that have this variable enter themselves: all of them die together |
//!
//! Nothing here may end the product in any other way: what cannot be done only makes a test shorter.
#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::{Pid, getpid};

/// Passes the point `NAME:SIDE`, or dies at it.
pub(super) fn pass(point: &str) {
    if let Some(list) = std::env::var_os("ECP_STEPS") {
        append(Path::new(&list), point);
    }
    let all = std::env::var_os("ECP_CRASH_ALL");
    if let Some(all) = &all {
        enter(Path::new(all));
    }
    if !std::env::var("ECP_CRASH").is_ok_and(|at| at == point) {
        return;
    }
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let wanted = std::env::var("ECP_CRASH_AT").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    if PASSED.fetch_add(1, Ordering::Relaxed) + 1 != wanted {
        return;
    }
    if let Some(mark) = std::env::var_os("ECP_CRASH_ONCE")
        && OpenOptions::new().write(true).create_new(true).open(mark).is_err()
    {
        return;
    }
    if let Some(all) = &all {
        kill_others(Path::new(all));
    }
    let _ = raise(Signal::SIGKILL);
}

fn append(list: &Path, line: &str) {
    if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(list) {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

/// Each process once, also one that was forked by one that has done so.
fn enter(all: &Path) {
    static ENTERED: AtomicI32 = AtomicI32::new(0);
    let me = getpid().as_raw();
    if ENTERED.swap(me, Ordering::Relaxed) != me {
        append(all, &me.to_string());
    }
}

/// The others that have entered themselves and still run: a number may be another program's by now.
fn kill_others(all: &Path) {
    let program = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let me = getpid().as_raw();
    let text = fs::read_to_string(all).unwrap_or_default();
    let others = text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1 && *pid != me);
    for pid in others.filter(|pid| program(*pid) == program(me)) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
