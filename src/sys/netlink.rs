//! Sockets to the kernel's networking: netlink(7).
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use super::last_words::die;

/// Of linux/netlink.h: errors come without a copy of the request (Linux 4.3), and with the kernel's own words (4.12).
const NETLINK_CAP_ACK: libc::c_int = 10;
const NETLINK_EXT_ACK: libc::c_int = 11;
/// Answers that do not fit are lost.
const RECEIVE_BUFFER: libc::c_int = 1 << 20;
/// A datagram that does not fit is refused (EMSGSIZE). The kernel's default is 208 KiB, and the host may have a smaller one.
const SEND_BUFFER: libc::c_int = 256 << 10;

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
    // The same; without it as much as the host lets anybody have.
    if set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &SEND_BUFFER).is_err() {
        let _ = set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, &SEND_BUFFER);
    }
    let patience = libc::timeval {
        tv_sec: libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_usec: patience.subsec_micros().into(),
    };
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &patience)?;
    Ok(socket)
}

/// The same in another network namespace. See [`in_network`].
///
/// # Errors
/// Those of [`in_network`] and of [`netlink_socket`].
pub fn netlink_socket_in(namespace: BorrowedFd<'_>, protocol: i32, patience: Duration) -> io::Result<OwnedFd> {
    in_network(namespace, || netlink_socket(protocol, patience))?
}

/// Does something in another network namespace: this thread enters it and goes back. Other threads notice nothing. What is below
/// /proc/sys/net is then that namespace's.
///
/// It returns in the namespace that it was called in, or not at all: where the way back is barred (the kernel has no memory for
/// one more attempt of many) the process is aborted, for a root process that goes on in a container's namespace would take
/// the container's network for the host's.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EINVAL when the descriptor is not of a network namespace; and those of opening
/// /proc/thread-self/ns/net, without which nothing is begun.
pub fn in_network<T>(namespace: BorrowedFd<'_>, what: impl FnOnce() -> T) -> io::Result<T> {
    let home = File::open("/proc/thread-self/ns/net")?;
    enter(namespace)?;
    // Also where `what` panics.
    let back = Back(home);
    let done = what();
    drop(back);
    Ok(done)
}

/// Does something in a network namespace that is made for it and goes away afterwards. As [`in_network`] in all else.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; ENOSPC where there may be no more of them; and those of opening /proc/thread-self/ns/net.
pub fn in_new_network<T>(what: impl FnOnce() -> T) -> io::Result<T> {
    let home = File::open("/proc/thread-self/ns/net")?;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    let back = Back(home);
    let done = what();
    drop(back);
    Ok(done)
}

/// The namespace that the thread returns to when this is dropped.
struct Back(File);

impl Drop for Back {
    fn drop(&mut self) {
        let mut pause = Duration::from_millis(1);
        while let Err(error) = enter(self.0.as_fd()) {
            if pause > Duration::from_secs(2) {
                die(&format!("cannot go back to the host's network namespace: {error}"));
            }
            sleep(pause);
            pause *= 2;
        }
    }
}

/// The number of this thread's network namespace, which no other one gets until the host is started anew (Linux 5.14).
///
/// # Errors
/// ENOPROTOOPT where the kernel does not know it; those of socket(2).
pub fn network_cookie() -> io::Result<u64> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut cookie = 0_u64;
    let mut size = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes to `cookie`, which has as many.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_NETNS_COOKIE, (&raw mut cookie).cast(), &raw mut size)
    };
    if done == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
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
    use nix::sys::socket::{getsockopt, sockopt};

    #[test]
    fn batches_fit_whatever_the_hosts_default_is() {
        let socket = netlink_socket(libc::NETLINK_ROUTE, Duration::from_secs(1)).unwrap();
        let size = getsockopt(&socket, sockopt::SndBuf).unwrap();
        // The kernel gives twice as much, for what is its own.
        let allowed = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap().trim().parse::<usize>().unwrap();
        let wanted = SEND_BUFFER as usize;
        assert!(size == 2 * wanted || size == 2 * allowed.min(wanted), "{size}, {allowed}");
        if nix::unistd::geteuid().is_root() {
            assert_eq!(size, 2 * wanted);
        }
    }

    #[test]
    fn what_is_no_network_namespace_is_refused_and_the_thread_stays() {
        let home = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let before = home();
        let mounts = File::open("/proc/self/ns/mnt").unwrap();
        let error = netlink_socket_in(mounts.as_fd(), libc::NETLINK_ROUTE, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)), "{error}");
        assert_eq!(home(), before);
    }
}
