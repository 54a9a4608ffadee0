//! The isolators that give a container namespaces of its own, one file each.
#![forbid(unsafe_code)]

mod cgroup;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod ipc;
mod pid;
mod user;
mod uts;

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Settings;
use crate::config::Launcher;
use crate::error::{Error, Result};
use crate::isolator::mount::{BENEATH, openat2};

pub(super) use cgroup::Cgroup;
pub(super) use ipc::Ipc;
pub(super) use pid::Pid;
pub(super) use user::User;
pub(super) use uts::Uts;

/// Whether this host can do it: as root, with the linux launcher, and with a kernel that has namespaces of this kind (as in
/// /proc/PID/ns) and mounts by descriptor.
fn probe(settings: &Settings, kind: &str) -> Result<()> {
    let refuse = |text: String| Err(Error::Refused(text));
    if !nix::unistd::geteuid().is_root() {
        return refuse("it needs root".into());
    }
    if settings.cgroups.launcher == Some(Launcher::Posix) {
        return refuse("it needs the linux launcher: leave out --launcher=posix".into());
    }
    if !Path::new("/proc/self/ns").join(kind).exists() {
        return refuse(format!("this kernel has no {kind} namespaces (there is no /proc/self/ns/{kind})"));
    }
    let root = File::open("/").map_err(Error::path("open", "/"))?;
    match openat2(root.as_fd(), c".", libc::O_PATH, 0, BENEATH) {
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => {
            refuse("it needs Linux 5.6 or later, which mounts by descriptor (openat2)".into())
        }
        _ => Ok(()),
    }
}

/// A path of the host as a place to mount on, with its links resolved; None: there is none such.
fn place(path: &str) -> Option<CString> {
    let path = Path::new(path).canonicalize().ok()?;
    CString::new(path.as_os_str().as_bytes()).ok()
}
