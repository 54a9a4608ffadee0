//! Which ports a container's processes listen on.
//!
//! The kernel lists the host's listening sockets with their inodes, in one go. Only if there are some on ports that matter are
//! the container's descriptors looked at, for just these sockets. (The kernel also tells the cgroup that a socket was made
//! in, but that is v2's only, and not the one of who listens by now: descriptors are inherited and passed on.)
#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::set::PortSet;
use crate::error::Result;
use crate::netlink::Socket;
use crate::netlink::diag::{Family, TcpSocket, TcpState, tcp};
use crate::proc::{Proc, Stat};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What is listened on of what was looked for.
    pub(super) ports: PortSet,
    /// How many processes could not be looked at.
    pub(super) unreadable: u64,
}

/// The sockets that listen in this process's network namespace, by IPv4 and IPv6. None: the kernel does not list them.
///
/// # Errors
/// The kernel's.
pub(super) fn all() -> Result<Option<Vec<TcpSocket>>> {
    let mut socket = Socket::diag()?;
    let mut found = match tcp(&mut socket, Family::V4, &[TcpState::Listen]) {
        Err(e) if e.errno() == Some(libc::ENOENT) => return Ok(None),
        found => found?,
    };
    // A kernel may have no IPv6.
    match tcp(&mut socket, Family::V6, &[TcpState::Listen]) {
        Err(e) if e.errno() == Some(libc::ENOENT) => {}
        more => found.extend(more?),
    }
    Ok(Some(found))
}

/// Those of the ports that one of the processes listens on. Asks for the processes only if somebody on the host listens on one.
pub(super) fn of<'a>(
    proc: &Proc,
    listeners: &[TcpSocket],
    ports: &PortSet,
    processes: impl FnOnce() -> &'a [Stat],
) -> Found {
    // An inode of 0: nobody has it any more.
    let looked_for = listeners.iter().filter(|socket| socket.inode != 0 && ports.contains(socket.local.port()));
    let mut looked_for: HashMap<u32, u16> = looked_for.map(|socket| (socket.inode, socket.local.port())).collect();
    let mut found = Found::default();
    if looked_for.is_empty() {
        return found;
    }
    for process in processes() {
        let mut its = Vec::new();
        let looked = proc.sockets(process, |inode| its.extend(looked_for.get(&inode).map(|port| (inode, *port))));
        // The pid may have become another's before it was looked at.
        if !its.is_empty() && proc.start_time(process.pid) != Some(process.starttime) {
            continue;
        }
        found.unreadable += u64::from(looked.is_err());
        for (inode, port) in its {
            found.ports.insert(port);
            looked_for.remove(&inode);
        }
        if looked_for.is_empty() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::net::{SocketAddr, TcpListener};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn listener(local: &str, inode: u32) -> TcpSocket {
        let remote = SocketAddr::from(([0, 0, 0, 0], 0));
        TcpSocket { state: TcpState::Listen, local: local.parse().unwrap(), remote, rtt: None, inode, uid: 0 }
    }

    fn process(root: &Path, pid: i32, sockets: &[u32]) -> Stat {
        let fd = root.join(format!("{pid}/fd"));
        fs::create_dir_all(&fd).unwrap();
        let stat = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0{}\n", " 0".repeat(28));
        fs::write(root.join(format!("{pid}/stat")), stat).unwrap();
        for inode in sockets {
            symlink(format!("socket:[{inode}]"), fd.join(inode.to_string())).unwrap();
        }
        Proc::at(root).stat(pid).unwrap()
    }

    #[test]
    fn a_container_has_the_sockets_that_its_processes_have() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Proc::at(dir.path());
        let processes = [process(dir.path(), 7, &[1, 2, 30]), process(dir.path(), 8, &[2, 3])];
        let listeners = [
            listener("0.0.0.0:80", 1),
            listener("127.0.0.1:81", 2),
            listener("[::]:82", 3),
            listener("0.0.0.0:83", 4),
            listener("0.0.0.0:84", 0),
        ];
        let of = |ports: PortSet| of(&proc, &listeners, &ports, || &processes).ports.to_string();
        assert_eq!(of(PortSet::all()), "[80-82]");
        assert_eq!(of(PortSet::of([81..=81, 84..=99])), "[81-81]");
        assert_eq!(of(PortSet::of([83..=83])), "[]");
        let nobody = || -> &[Stat] { unreachable!() };
        assert!(super::of(&proc, &listeners, &PortSet::of([84..=100]), nobody).ports.is_empty());
    }

    #[test]
    fn who_cannot_be_looked_at_is_counted_and_who_has_a_pid_by_now_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Proc::at(dir.path());
        let processes = [process(dir.path(), 7, &[1]), process(dir.path(), 8, &[2]), process(dir.path(), 9, &[3])];
        fs::remove_dir_all(dir.path().join("8/fd")).unwrap();
        let stat = fs::read_to_string(dir.path().join("9/stat")).unwrap();
        fs::write(dir.path().join("9/stat"), stat.replace(" 99 ", " 100 ")).unwrap();
        let listeners = [listener("0.0.0.0:80", 1), listener("0.0.0.0:81", 2), listener("0.0.0.0:82", 3)];
        let found = of(&proc, &listeners, &PortSet::all(), || &processes);
        assert_eq!(found, Found { ports: PortSet::of([80..=80]), unreadable: 1 });
    }

    #[test]
    fn this_process_is_found_out() {
        let Some(before) = all().unwrap() else { return };
        let (v4, v6) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0"));
        let mut ports: Vec<u16> = vec![v4.local_addr().unwrap().port()];
        ports.extend(v6.iter().map(|v6| v6.local_addr().unwrap().port()));
        let proc = Proc::default();
        let this = [proc.stat(std::process::id() as i32).unwrap()];
        let looked = PortSet::of(ports.iter().map(|port| u64::from(*port)..=u64::from(*port)));
        let of = |listeners: &[TcpSocket]| of(&proc, listeners, &looked, || &this);
        assert_eq!(of(&all().unwrap().unwrap()), Found { ports: looked.clone(), unreadable: 0 });
        assert_eq!(of(&before), Found::default());
        drop((v4, v6));
        assert_eq!(of(&all().unwrap().unwrap()), Found::default());
    }
}
