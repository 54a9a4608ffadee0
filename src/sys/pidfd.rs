//! Process descriptors: a handle on one process that no other can ever take over, unlike its pid.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// An open pidfd. Readable (POLLIN) once the process has ended, POLLHUP once it was reaped (Linux 6.9).
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

/// What the kernel kept about a process that was reaped by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitInfo {
    /// The raw wait(2) status.
    Status(i32),
    /// Not reaped yet: ask again after POLLHUP.
    NotYet,
    /// This kernel does not keep it (before Linux 6.15).
    Unknown,
}

/// struct pidfd_info of linux/pidfd.h in its first form (64 bytes).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// _IOWR(0xFF, 11, struct pidfd_info) of linux/pidfd.h.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;
/// Linux 6.15.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

impl Pidfd {
    /// Opens the process `pid`.
    ///
    /// # Errors
    /// ESRCH when there is no such process (any more), ENOSYS before Linux 5.3.
    pub fn open(pid: i32) -> io::Result<Pidfd> {
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0u32) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just returned this descriptor, and nobody else has it.
        Ok(Pidfd(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// A second descriptor of the same process.
    ///
    /// # Errors
    /// EMFILE.
    pub fn as_owned(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// ESRCH when the process was reaped, EPERM when it is somebody else's.
    pub fn kill(&self, signal: i32) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a null siginfo is allowed and means the one of kill(2).
        let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, none, 0u32) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// A descriptor of this process's own for what the process has open by this number. Closed by an exec.
    ///
    /// # Errors
    /// EBADF when nothing is open by it, EPERM when the process may not be traced, ESRCH when it has ended, ENOSYS before
    /// Linux 5.6.
    pub fn descriptor(&self, number: i32) -> io::Result<OwnedFd> {
        // SAFETY: only numbers are passed.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.0.as_raw_fd(), number, 0u32) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just returned this descriptor, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }

    /// The exit status of a process that need not be our child. The descriptor must have been open before its end.
    pub fn exit_info(&self) -> ExitInfo {
        // The kernel clears bits of mask in each answer: a fresh one for each call.
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the ioctl writes at most the 64 bytes that its number encodes, the size of `info`.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), PIDFD_GET_INFO, &mut info) };
        if done == 0 {
            return if info.mask & PIDFD_INFO_EXIT != 0 { ExitInfo::Status(info.exit_code) } else { ExitInfo::NotYet };
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ESRCH) => ExitInfo::NotYet,
            _ => ExitInfo::Unknown,
        }
    }
}

impl From<OwnedFd> for Pidfd {
    /// Takes a descriptor that came from [`Pidfd::as_owned`]; any other answers every call with an error.
    fn from(fd: OwnedFd) -> Pidfd {
        Pidfd(fd)
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

const _: () = assert!(size_of::<PidfdInfo>() == 64);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    #[test]
    fn a_pidfd_kills_its_process_and_no_other() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let fd = Pidfd::open(child.id() as i32).unwrap();
        fd.kill(libc::SIGKILL).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
        assert_eq!(fd.kill(libc::SIGKILL).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        assert!(matches!(fd.exit_info(), ExitInfo::Status(9) | ExitInfo::Unknown));
    }

    #[test]
    fn no_such_process() {
        // Above the largest pid_max that any kernel allows.
        assert_eq!(Pidfd::open(1 << 23).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
