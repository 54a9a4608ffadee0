//! Sockets to the kernel's networking, netlink(7), and its files in /proc/net.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// Of linux/netlink.h: errors come without a copy of the request (Linux 4.3), and with the kernel's own words (4.12).
const NETLINK_CAP_ACK: libc::c_int = 10;
const NETLINK_EXT_ACK: libc::c_int = 11;
/// Answers that do not fit are lost.
const RECEIVE_BUFFER: libc::c_int = 1 << 20;

/// Opens a socket of a netlink protocol (NETLINK_ROUTE, ...) in this thread's network namespace, which it belongs to for good.
/// What it waits for from the kernel it waits for so long at most.
///
/// # Errors
/// EPROTONOSUPPORT when the kernel has no such protocol; EMFILE, ENOMEM.
pub fn netlink_socket(protocol: i32, patience: Duration) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // Kernels without them give longer answers, or plainer ones.
    for option in [NETLINK_CAP_ACK, NETLINK_EXT_ACK] {
        let _ = set(&socket, libc::SOL_NETLINK, option, &1_i32);
    }
    // Needs CAP_NET_ADMIN; without it the host's default has to do.
    let _ = set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER);
    let patience = libc::timeval {
        tv_sec: libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_usec: patience.subsec_micros().into(),
    };
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &patience)?;
    Ok(socket)
}

/// The same in another network namespace, as [`network_file`].
///
/// # Errors
/// Those of [`network_file`] about the namespace, and those of [`netlink_socket`].
pub fn netlink_socket_in(namespace: BorrowedFd<'_>, protocol: i32, patience: Duration) -> io::Result<OwnedFd> {
    within(namespace, || netlink_socket(protocol, patience))
}

/// Opens a file of /proc/net, such as `snmp`, of another network namespace: this thread enters it, opens the file and goes
/// back. Other threads notice nothing.
///
/// It returns in the namespace that it was called in, or not at all: where the way back is barred (the kernel has no memory for
/// one more attempt of many) the process is aborted, for a root process that goes on in a container's namespace would take
/// the container's network for the host's.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EINVAL when the descriptor is not of a network namespace; those of opening
/// /proc/thread-self/ns/net, without which nothing is begun; ENOENT when there is no such file, EMFILE.
pub fn network_file(namespace: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    let path = Path::new("/proc/thread-self/net").join(name);
    within(namespace, || File::open(path))
}

/// `what` must not panic.
fn within<T>(namespace: BorrowedFd<'_>, what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let home = File::open("/proc/thread-self/ns/net")?;
    enter(namespace)?;
    let done = what();
    let mut pause = Duration::from_millis(1);
    while let Err(error) = enter(home.as_fd()) {
        if pause > Duration::from_secs(2) {
            eprintln!("cannot go back to the host's network namespace: {error}");
            std::process::abort();
        }
        sleep(pause);
        pause *= 2;
    }
    done
}

/// The calling thread only.
fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a descriptor and a flag.
    let done = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes of `value`, which is its size.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_network_namespace_is_refused_and_the_thread_stays() {
        let home = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let before = home();
        let mounts = File::open("/proc/self/ns/mnt").unwrap();
        let error = netlink_socket_in(mounts.as_fd(), libc::NETLINK_ROUTE, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)), "{error}");
        assert!(network_file(mounts.as_fd(), "snmp").is_err());
        assert_eq!(home(), before);
    }
}
