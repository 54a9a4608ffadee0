//! The process that looks at what a container uses: a child of the supervisor, which must not wait for disks.
//!
//! It has the lowest priority, and is in none of the container's cgroups. It walks only when it is its turn among those of the
//! host, and lets others have theirs after a while, so that a tree of millions of files delays nobody by more than that.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use prost::Message;

use super::quota::Place;
use super::turns::Turns;
use crate::du::Walk;
use crate::error::{Error, Result};
use crate::sys::{Pidfd, helper, lowest_priority};

/// How long one turn is.
const TURN: Duration = Duration::from_millis(500);
/// Between two looks at the clock: each may take a disk a hundredth of a second.
const ENTRIES: u32 = 32;

/// A walker under way; dropping it ends it.
#[derive(Debug)]
pub(super) struct Walker {
    process: Pidfd,
    reports: OwnedFd,
    turns: Turns,
}

/// How far it is. For each place in the order given, as far as it got.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Report {
    #[prost(message, repeated, tag = "1")]
    pub(super) places: Vec<Measured>,
    /// It is the last one.
    #[prost(bool, required, tag = "2")]
    pub(super) done: bool,
    /// Why there is nothing more to come.
    #[prost(string, optional, tag = "3")]
    pub(super) failed: Option<String>,
    /// It waits for its turn. However long that takes, it says when it has it.
    #[prost(bool, required, tag = "4")]
    pub(super) waits: bool,
}

/// What one place takes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Measured {
    /// So far.
    #[prost(uint64, required, tag = "1")]
    pub(super) bytes: u64,
    /// Directories and files that could not be looked at.
    #[prost(uint64, required, tag = "2")]
    pub(super) unreadable: u64,
    /// Why the place could not be looked at at all.
    #[prost(string, optional, tag = "3")]
    pub(super) failed: Option<String>,
}

/// A report of a thousand places is below this.
const LONGEST_REPORT: usize = 128 << 10;

impl Walker {
    /// Starts one for these places.
    ///
    /// # Errors
    /// Want of descriptors, memory or processes.
    pub(super) fn start(places: Vec<Place>, turns: Turns) -> Result<Walker> {
        let failed = "start a process that looks at disk usage";
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(Error::system(failed))?;
        let (file, path, walkers) = turns.for_walker()?;
        let process = helper(vec![its, file], move |kept| {
            let mut kept = kept.into_iter();
            let (Some(reports), Some(file)) = (kept.next(), kept.next()) else { return 70 };
            lowest_priority();
            walk(reports.as_fd(), &places, &Turns::of_walker(file, path, walkers), TURN)
        });
        Ok(Walker { process: process.map_err(Error::system(failed))?, reports: ours, turns })
    }

    /// Is ready (POLLIN) when there is a report, or will be none.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.reports.as_fd()
    }

    /// The next report, if there is one by now.
    ///
    /// # Errors
    /// There will be none: it was killed.
    pub(super) fn report(&self) -> Result<Option<Report>> {
        let mut bytes = vec![0; LONGEST_REPORT];
        match recv(self.reports.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Ok(None),
            Ok(0) => Err(Error::Refused("the process that looked at disk usage was killed".into())),
            Ok(length) => Report::decode(bytes.get(..length).unwrap_or_default())
                .map(Some)
                .map_err(|e| Error::Refused(format!("a report about disk usage cannot be read: {e}"))),
            Err(e) => Err(Error::system("read a report about disk usage")(e)),
        }
    }
}

impl Drop for Walker {
    fn drop(&mut self) {
        // ESRCH: it has ended, as it should.
        let _ = self.process.kill(libc::SIGKILL);
        self.turns.take_away();
    }
}

/// The process: walks through the places, in turns that are so long.
fn walk(reports: BorrowedFd<'_>, places: &[Place], turns: &Turns, turn: Duration) -> i32 {
    let mut report = Report::default();
    let mut walk = || -> Result<()> {
        let mut mine = Some(turns.take()?);
        let mut began = Instant::now();
        say(reports, &report)?;
        for place in places {
            report.places.push(Measured::default());
            let mut pause = |so_far: Measured| -> Result<()> {
                if began.elapsed() >= turn {
                    put(&mut report, so_far);
                    report.waits = true;
                    mine = None;
                    say(reports, &report)?;
                    mine = Some(turns.take()?);
                    began = Instant::now();
                    report.waits = false;
                    say(reports, &report)?;
                }
                Ok(())
            };
            let measured = one(place, &mut pause)?;
            put(&mut report, measured);
        }
        drop(mine);
        Ok(())
    };
    let done = walk();
    report.done = true;
    report.failed = done.err().map(|e| e.to_string());
    say(reports, &report).map_or(1, |()| 0)
}

/// Walks through a place; `pause` is called every now and then.
fn one(place: &Place, pause: &mut dyn FnMut(Measured) -> Result<()>) -> Result<Measured> {
    let failed = |e: String| Measured { failed: Some(format!("{}: {e}", place.name())), ..Measured::default() };
    let begun = place
        .open()
        .map_err(|e| e.to_string())
        .and_then(|top| Walk::begin(top.as_fd()).map_err(|e| format!("cannot be read: {e}")));
    let mut walk = match begun {
        Ok(walk) => walk,
        Err(e) => return Ok(failed(e)),
    };
    let so_far = |walk: &Walk| Measured { bytes: walk.bytes(), unreadable: walk.unreadable(), failed: None };
    loop {
        match walk.advance(ENTRIES) {
            Ok(true) => return Ok(so_far(&walk)),
            Ok(false) => pause(so_far(&walk))?,
            Err(e) => return Ok(failed(format!("cannot be walked through: {e}"))),
        }
    }
}

fn put(report: &mut Report, measured: Measured) {
    if let Some(last) = report.places.last_mut() {
        *last = measured;
    }
}

fn say(reports: BorrowedFd<'_>, report: &Report) -> Result<()> {
    let sent = send(reports.as_raw_fd(), &report.encode_to_vec(), MsgFlags::MSG_NOSIGNAL);
    sent.map(drop).map_err(|e| Error::system("report disk usage")(io::Error::from(e)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::thread;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    fn next(reports: &OwnedFd) -> Report {
        let mut bytes = vec![0; LONGEST_REPORT];
        let length = recv(reports.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
        Report::decode(&bytes[..length]).unwrap()
    }

    fn start<'s>(scope: &'s thread::Scope<'s, '_>, tree: &'s Path, turns: &'s Path) -> OwnedFd {
        let (ours, its) = pair();
        scope.spawn(move || {
            let turns = Turns::open(turns, 1).unwrap();
            walk(its.as_fd(), &[Place::Sandbox(tree.to_path_buf())], &turns, Duration::ZERO)
        });
        ours
    }

    #[test]
    fn a_large_tree_is_walked_through_in_turns_and_delays_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let (large, small) = (dir.path().join("large"), dir.path().join("small"));
        fs::create_dir(&small).unwrap();
        for number in 0..6000 {
            fs::create_dir_all(large.join(format!("{}/{number}", number % 20))).unwrap();
        }
        thread::scope(|scope| {
            let of_large = start(scope, &large, dir.path());
            let begun = next(&of_large);
            assert!(!begun.waits && !begun.done && begun.places.is_empty());
            let of_small = start(scope, &small, dir.path());
            while !next(&of_small).done {}
            let (mut seen, mut last) = (0, next(&of_large));
            while !last.done {
                seen += 1;
                let report = next(&of_large);
                assert!(report.places[0].bytes >= last.places[0].bytes);
                assert!(report.done || report.waits != last.waits);
                last = report;
            }
            // Each turn is one look at the clock long, and there are hundreds.
            assert!(seen > 20, "the small one was done after all but {seen} reports");
        });
    }
}
