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
/// Between two looks at the clock.
const ENTRIES: u32 = 1024;

/// A walker under way; dropping it ends it.
#[derive(Debug)]
pub(super) struct Walker {
    process: Pidfd,
    reports: OwnedFd,
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
        let process = helper(vec![its], move |kept| match kept.first() {
            Some(reports) => walk(reports.as_fd(), &places, &turns),
            None => 70,
        });
        Ok(Walker { process: process.map_err(Error::system(failed))?, reports: ours })
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
    }
}

/// The process.
fn walk(reports: BorrowedFd<'_>, places: &[Place], turns: &Turns) -> i32 {
    lowest_priority();
    let mut report = Report::default();
    let done = turns.take().and_then(|turn| {
        let (mut turn, mut began) = (Some(turn), Instant::now());
        for place in places {
            report.places.push(Measured::default());
            let mut pause = |so_far: Measured| -> Result<()> {
                if began.elapsed() >= TURN {
                    put(&mut report, so_far);
                    say(reports, &report)?;
                    turn = turn.take().map(|turn| turns.pass_on(turn)).transpose()?;
                    began = Instant::now();
                }
                Ok(())
            };
            let measured = one(place, &mut pause)?;
            put(&mut report, measured);
        }
        Ok(())
    });
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
