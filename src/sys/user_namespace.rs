//! User namespaces with nobody in them yet.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Makes a user namespace below this process's own. `uids` and `gids` are its maps as in user_namespaces(7), lines of `inside
/// outside count`; to write them takes CAP_SETUID and CAP_SETGID here. It lasts as long as the descriptor or somebody in it.
///
/// # Errors
/// ENOSPC above the limits of /proc/sys/user/max_user_namespaces, EUSERS when they are nested too deeply, EPERM where it is
/// not allowed, or an id outside is not this process's to give; EINVAL for bad maps.
pub fn user_namespace(uids: &str, gids: &str) -> io::Result<OwnedFd> {
    let (hold_read, hold_write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
    // SAFETY: no CLONE_VM and no stack, so the child goes on with a copy of this process, in which it makes two raw system
    // calls on descriptors and memory of its own and ends.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags as libc::c_ulong, 0usize, 0usize, 0usize, 0usize) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let mut byte = 0u8;
            // SAFETY: as above. It ends with this process, whose end of the pipe is then closed, or when it is killed.
            unsafe {
                libc::close(hold_write.as_raw_fd());
                libc::read(hold_read.as_raw_fd(), (&raw mut byte).cast(), 1);
                libc::_exit(0)
            }
        }
        pid => {
            let made = map(pid, uids, gids);
            let mut status = 0;
            // SAFETY: a child of ours that nobody else reaps; waitpid writes one int. A signal that interrupts it is none that
            // ends the wait for good.
            unsafe {
                libc::kill(pid as i32, libc::SIGKILL);
                while libc::waitpid(pid as i32, &raw mut status, 0) < 0
                    && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                {}
            }
            made
        }
    }
}

/// Gives the namespace of a process its maps. The process is not reaped yet, so its pid means nobody else.
fn map(pid: i64, uids: &str, gids: &str) -> io::Result<OwnedFd> {
    fs::write(format!("/proc/{pid}/uid_map"), uids)?;
    fs::write(format!("/proc/{pid}/gid_map"), gids)?;
    File::open(format!("/proc/{pid}/ns/user")).map(OwnedFd::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sys::mount::{open_tree, openat2, set_id_map};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_mount_shows_owners_as_a_namespace_maps_them() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        assert!(user_namespace("0 0\n", "").is_err());
        let map = "1000 700000 1\n700001 700001 10\n";
        let namespace = user_namespace(map, map).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        std::os::unix::fs::chown(&path, Some(1000), Some(700_001)).unwrap();
        let tree = open_tree(File::open(dir.path()).unwrap().as_fd(), false).unwrap();
        match set_id_map(tree.as_fd(), namespace.as_fd()) {
            // Not every file system can.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return,
            mapped => mapped.unwrap(),
        }
        let seen = openat2(tree.as_fd(), c"file", libc::O_PATH, 0, 0).map(File::from).unwrap().metadata().unwrap();
        assert_eq!((seen.uid(), seen.gid()), (700_000, 700_001));
        assert!(set_id_map(tree.as_fd(), namespace.as_fd()).is_err(), "mapped twice");
    }
}
