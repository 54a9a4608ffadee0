//! The mount namespace in which an agent sees as many processors as it is to have worker threads.
#![forbid(unsafe_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{SysconfVar, sysconf};

use super::ONLINE;
use crate::error::{Error, Result};

/// Where the file is made before it is bound to its place: a directory that is there wherever [`ONLINE`] is. It is hidden for
/// that moment, and from this process only.
const SCRATCH: &str = "/sys/fs";
const FILE: &str = "/sys/fs/online";

/// Takes this process to a mount namespace of its own in which `workers` processors are online. Nothing of that is seen
/// outside, and it ends with the last process in it. What is mounted on the host later is seen inside.
///
/// # Errors
/// Without CAP_SYS_ADMIN, and where the C library does not count by the file.
pub fn enter(workers: u16) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| match errno {
        nix::Error::EPERM => Error::Refused(
            "a mount namespace of its own is not permitted: this takes root, to be exact CAP_SYS_ADMIN".into(),
        ),
        errno => Error::system("make a mount namespace")(errno),
    })?;
    let none = None::<&str>;
    // Slaves get what their masters get, and give nothing back.
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .map_err(|e| Error::path("keep mounts of this namespace from the host at", "/")(e.into()))?;
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // A file system for this one file: it has no name anywhere, and goes away with the namespace.
    mount(Some("mesos-ecp"), SCRATCH, Some("tmpfs"), harmless, Some("size=4k,mode=755"))
        .map_err(|e| Error::path("mount a tmpfs on", SCRATCH)(e.into()))?;
    fs::write(FILE, format!("0-{}\n", workers.saturating_sub(1))).map_err(Error::path("write", FILE))?;
    fs::set_permissions(FILE, Permissions::from_mode(0o444)).map_err(Error::path("set the mode of", FILE))?;
    mount(Some(FILE), ONLINE, none, MsFlags::MS_BIND, none)
        .map_err(|e| Error::path("bind a file of its own over", ONLINE)(e.into()))?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | harmless;
    mount(none, ONLINE, none, read_only, none).map_err(|e| Error::path("make read-only", ONLINE)(e.into()))?;
    umount2(SCRATCH, MntFlags::MNT_DETACH).map_err(|e| Error::path("unmount", SCRATCH)(e.into()))?;
    confirm(workers)
}

/// What the agent will be told, asked in the way in which it asks.
fn confirm(workers: u16) -> Result<()> {
    let found = sysconf(SysconfVar::_NPROCESSORS_ONLN).map_err(Error::system("ask for the number of processors"))?;
    if found == Some(workers.into()) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "with 0-{} in {ONLINE}, sysconf(_SC_NPROCESSORS_ONLN) is {} and not {workers}: this C library counts in another way, \
         so the agent would have too few worker threads; nothing was started",
        workers.saturating_sub(1),
        found.map_or("unknown".into(), |n| n.to_string())
    )))
}
