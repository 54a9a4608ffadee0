//! Which ports a container's processes listen on.
//!
//! The kernel lists the host's listening sockets with their inodes, in one go. Only if there are some on ports that matter are
//! the container's descriptors looked at, for just these sockets. (The kernel also tells the cgroup that a socket was made
//! in, but that is v2's only, and not the one of who listens by now: descriptors are inherited and passed on.)
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::collections::HashMap;

use super::set::PortSet;
use crate::error::Result;
use crate::netlink::Socket;
use crate::netlink::diag::{TcpSocket, TcpState, tcp_of_both};
use crate::proc::{OpenSocket, Proc, Stat};

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
    match tcp_of_both(&mut Socket::diag()?, &[TcpState::Listen]) {
        Err(e) if e.errno() == Some(libc::ENOENT) => Ok(None),
        found => found.map(Some),
    }
}

/// How a container's processes are looked at.
pub(super) struct Look<'a> {
    /// Where to read about them.
    pub(super) proc: &'a Proc,
    /// Whether what a process has open is this socket: see [`super::same::is`].
    pub(super) is: &'a dyn Fn(&Stat, &OpenSocket<'_>, &TcpSocket) -> bool,
    /// The container's processes by now.
    pub(super) again: &'a dyn Fn() -> Vec<Stat>,
}

/// After so many looks those who were no members are not looked behind any more.
const TRIES: u32 = 3;

impl Look<'_> {
    /// Those of the ports that one of the processes listens on. Asks for the processes only if somebody on the host listens on
    /// one; and once more if one of them seems to, for one of the pids may have become a stranger's.
    pub(super) fn find<'s>(
        &self,
        listeners: &'s [TcpSocket],
        ports: &PortSet,
        processes: impl FnOnce() -> &'s [Stat],
    ) -> Found {
        // An inode of 0: nobody has it any more.
        let looked_for = listeners.iter().filter(|socket| socket.inode != 0 && ports.contains(socket.local.port()));
        let mut sockets: HashMap<u32, Vec<&TcpSocket>> = HashMap::new();
        looked_for.for_each(|socket| sockets.entry(socket.inode).or_default().push(socket));
        let mut found = Found::default();
        if sockets.is_empty() {
            return found;
        }
        let mut members = Cow::Borrowed(processes());
        for _ in 0..TRIES {
            let hits;
            (hits, found.unreadable) = self.once(&members, sockets.clone());
            if hits.is_empty() {
                break;
            }
            let again = (self.again)();
            let is = |process: &Stat, other: &Stat| (process.pid, process.starttime) == (other.pid, other.starttime);
            let mut strangers = false;
            for hit in &hits {
                if again.iter().any(|member| is(member, hit.process)) {
                    found.ports.insert(hit.socket.local.port());
                    sockets.remove(&hit.socket.inode);
                } else {
                    strangers = true;
                }
            }
            if !strangers || sockets.is_empty() {
                break;
            }
            // A stranger's socket may be the container's as well.
            members = Cow::Owned(again);
        }
        found
    }

    /// Who has which of the sockets, each once, and how many cannot be looked at.
    fn once<'p, 's>(
        &self,
        processes: &'p [Stat],
        mut sockets: HashMap<u32, Vec<&'s TcpSocket>>,
    ) -> (Vec<Hit<'p, 's>>, u64) {
        let (mut hits, mut unreadable) = (Vec::new(), 0);
        for process in processes {
            let mut its: Vec<&TcpSocket> = Vec::new();
            let looked = self.proc.sockets(process, |open| {
                for socket in sockets.get(&open.inode).into_iter().flatten() {
                    if !its.iter().any(|known| known.cookie == socket.cookie) && (self.is)(process, open, socket) {
                        its.push(socket);
                    }
                }
            });
            // The pid may have become another's before it was looked at.
            if !its.is_empty() && self.proc.start_time(process.pid) != Some(process.starttime) {
                continue;
            }
            unreadable += u64::from(looked.is_err());
            for socket in its {
                sockets.remove(&socket.inode);
                hits.push(Hit { process, socket });
            }
            if sockets.is_empty() {
                break;
            }
        }
        (hits, unreadable)
    }
}

/// A process that has a socket.
struct Hit<'p, 's> {
    process: &'p Stat,
    socket: &'s TcpSocket,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::same;
    use super::*;
    use std::fs;
    use std::net::{SocketAddr, TcpListener};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn listener(local: &str, inode: u32) -> TcpSocket {
        let remote = SocketAddr::from(([0, 0, 0, 0], 0));
        TcpSocket {
            state: TcpState::Listen,
            local: local.parse().unwrap(),
            remote,
            rtt: None,
            inode,
            uid: 0,
            cookie: inode.into(),
        }
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
        let look = Look { proc: &proc, is: &|_, _, _| true, again: &|| processes.to_vec() };
        let of = |ports: PortSet| look.find(&listeners, &ports, || &processes).ports.to_string();
        assert_eq!(of(PortSet::all()), "[80-82]");
        assert_eq!(of(PortSet::of([81..=81, 84..=99])), "[81-81]");
        assert_eq!(of(PortSet::of([83..=83])), "[]");
        let nobody = || -> &[Stat] { unreachable!() };
        assert!(look.find(&listeners, &PortSet::of([84..=100]), nobody).ports.is_empty());
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
        let look = Look { proc: &proc, is: &|_, _, _| true, again: &|| processes.to_vec() };
        let found = look.find(&listeners, &PortSet::all(), || &processes);
        assert_eq!(found, Found { ports: PortSet::of([80..=80]), unreadable: 1 });
    }

    #[test]
    fn another_socket_of_the_same_number_is_not_its() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Proc::at(dir.path());
        let processes = [process(dir.path(), 7, &[1, 2]), process(dir.path(), 8, &[1])];
        // The number has come round: the second is process 8's.
        let listeners = [
            TcpSocket { cookie: 10, ..listener("0.0.0.0:22", 1) },
            TcpSocket { cookie: 11, ..listener("0.0.0.0:80", 1) },
            TcpSocket { cookie: 12, ..listener("0.0.0.0:81", 2) },
        ];
        let has = |process: &Stat, _: &OpenSocket<'_>, socket: &TcpSocket| (process.pid, socket.cookie) == (8, 11);
        let look = Look { proc: &proc, is: &has, again: &|| processes.to_vec() };
        assert_eq!(look.find(&listeners, &PortSet::all(), || &processes).ports.to_string(), "[80-80]");
    }

    #[test]
    fn a_stranger_with_a_members_pid_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Proc::at(dir.path());
        // 7 and 9 have become strangers' before they were looked at the first time, 9's socket is process 8's as well.
        let processes = [process(dir.path(), 7, &[1]), process(dir.path(), 9, &[2]), process(dir.path(), 8, &[2, 3])];
        let listeners = [listener("0.0.0.0:22", 1), listener("0.0.0.0:80", 2), listener("0.0.0.0:81", 3)];
        let mut younger = processes[0].clone();
        younger.starttime += 1;
        let members = [younger, processes[2].clone()];
        let look = Look { proc: &proc, is: &|_, _, _| true, again: &|| members.to_vec() };
        assert_eq!(look.find(&listeners, &PortSet::all(), || &processes).ports.to_string(), "[80-81]");
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
        let look =
            Look { proc: &proc, is: &|of, open, socket| same::is(&proc, of, open, socket), again: &|| this.to_vec() };
        let of = |listeners: &[TcpSocket]| look.find(listeners, &looked, || &this);
        assert_eq!(of(&all().unwrap().unwrap()), Found { ports: looked.clone(), unreadable: 0 });
        assert_eq!(of(&before), Found::default());
        drop((v4, v6));
        assert_eq!(of(&all().unwrap().unwrap()), Found::default());
    }
}
