//! The process that looks at what a container listens on: a child of the supervisor, which must not read as many files as a
//! container has descriptors. It has the lowest priority, and is in none of the container's cgroups.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use prost::Message;

use super::listeners::{self, Found, Look};
use super::same;
use super::set::PortSet;
use crate::error::{Error, Result};
use crate::isolator::Container;
use crate::netlink::diag::TcpSocket;
use crate::proc::{OpenSocket, Stat};
use crate::sys::{Pidfd, helper, lowest_priority};

/// A look under way; dropping it ends it.
#[derive(Debug)]
pub(super) struct Looker {
    process: Pidfd,
    report: OwnedFd,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Report {
    /// [`PortSet::bytes`].
    #[prost(bytes = "vec", required, tag = "1")]
    pub(super) ports: Vec<u8>,
    #[prost(uint64, required, tag = "2")]
    unreadable: u64,
    /// Why nothing is known.
    #[prost(string, optional, tag = "3")]
    failed: Option<String>,
}

/// The set of ports, and one message.
const LONGEST_REPORT: usize = 64 << 10;

impl Looker {
    /// Starts one that looks for these ports.
    ///
    /// # Errors
    /// Want of descriptors, memory or processes.
    pub(super) fn start(container: &Container<'_>, ports: &PortSet) -> Result<Looker> {
        let failed = "start a process that looks at ports";
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(Error::system(failed))?;
        let process = helper(vec![its], |kept| match kept.first() {
            Some(report) => look(report.as_fd(), container, ports),
            None => 70,
        });
        Ok(Looker { process: process.map_err(Error::system(failed))?, report: ours })
    }

    /// Is ready (POLLIN) when it has found out, or never will.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// What it found, if it has by now.
    ///
    /// # Errors
    /// It has not, and never will.
    pub(super) fn found(&self) -> Result<Option<Found>> {
        let mut bytes = vec![0; LONGEST_REPORT];
        let report = match recv(self.report.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(None),
            Ok(0) => return Err(Error::Refused("the process that looked at ports was killed".into())),
            Ok(length) => Report::decode(bytes.get(..length).unwrap_or_default()),
            Err(e) => return Err(Error::system("read what ports are listened on")(e)),
        };
        match report.map(|report| (PortSet::read(&report.ports), report)) {
            Ok((_, Report { failed: Some(failed), .. })) => Err(Error::Refused(failed)),
            Ok((Some(ports), Report { unreadable, .. })) => Ok(Some(Found { ports, unreadable })),
            _ => Err(Error::Refused("a report about ports cannot be read".into())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
impl Looker {
    /// A process that finds nothing out.
    pub(super) fn idle() -> (Looker, std::process::Child) {
        let (report, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let idle = std::process::Command::new("sleep").arg("1000").stdin(its).spawn().unwrap();
        let process = Pidfd::open(idle.id() as i32).unwrap();
        (Looker { process, report }, idle)
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        // ESRCH: it has ended, as it should.
        let _ = self.process.kill(libc::SIGKILL);
    }
}

/// The process.
fn look(to: BorrowedFd<'_>, container: &Container<'_>, ports: &PortSet) -> i32 {
    lowest_priority();
    let mut report = Report::default();
    match listeners::all() {
        Ok(Some(listeners)) => {
            let is = |of: &Stat, open: &OpenSocket<'_>, socket: &TcpSocket| same::is(container.proc, of, open, socket);
            let look = Look { proc: container.proc, is: &is, again: &|| container.members_by_now().processes };
            let found = look.find(&listeners, ports, || &container.members().processes);
            (report.ports, report.unreadable) = (found.ports.bytes(), found.unreadable);
        }
        Ok(None) => report.failed = Some(super::NO_DIAG.into()),
        Err(e) => report.failed = Some(e.to_string()),
    }
    i32::from(send(to.as_raw_fd(), &report.encode_to_vec(), MsgFlags::MSG_NOSIGNAL).is_err())
}
