//! The kernel's own file systems in a root directory of the container's own, and what of them is hidden or protected.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::{RootDirectory, devices, text};
use crate::error::{Error, Result};
use crate::isolator::mount::{Configured, NODEV, NOEXEC, NOSUID, RDONLY, open_tree, set_attributes};
use crate::isolator::{Mount, Source, Stage};

/// They show the host's memory, keys, timers and hardware, or change them.
const HIDDEN: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Settings of the host's.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// All of them.
///
/// # Errors
/// Those of the mount calls.
pub fn mounts(root: &RootDirectory) -> Result<Vec<Mount>> {
    let harmless = NOSUID | NODEV | NOEXEC;
    let proc = Source::Fresh { kind: c"proc", attributes: harmless };
    let sys = Source::Fresh { kind: c"sysfs", attributes: harmless | RDONLY };
    let mut mounts = Vec::with_capacity(24);
    for (path, source) in [("/proc", proc), ("/sys", sys), ("/dev", Source::Tree(devices::dev()?))] {
        let at = root.place(Path::new(path), true)?;
        mounts.push(mount(Stage::Special, path, text(&at)?, source));
    }
    // In the new /dev, not in the root directory.
    mounts.push(mount(Stage::Special, "/dev/pts", c"/dev/pts".into(), Source::Tree(devices::terminals()?)));
    mounts.push(mount(Stage::Special, "/dev/shm", c"/dev/shm".into(), Source::Tree(devices::shared_memory()?)));
    for path in READ_ONLY {
        mounts.push(mount(Stage::Mask, path, text(Path::new(path))?, Source::ReadOnly));
    }
    for path in HIDDEN {
        // The container's are of the same kernel.
        let Ok(found) = std::fs::symlink_metadata(path) else { continue };
        let cover = if found.is_dir() { empty_directory() } else { empty_file() };
        mounts.push(mount(Stage::Mask, path, text(Path::new(path))?, Source::TreeIfThere(cover?)));
    }
    Ok(mounts)
}

fn mount(stage: Stage, path: &str, at: CString, source: Source) -> Mount {
    let what = if stage == Stage::Mask { format!("a cover on {path}") } else { path.to_owned() };
    Mount { stage, what, at, source }
}

fn empty_directory() -> Result<OwnedFd> {
    Configured::new(c"tmpfs")
        .and_then(|tmpfs| tmpfs.set(c"mode", c"0555"))
        .and_then(|tmpfs| tmpfs.set(c"size", c"4k"))
        .and_then(|tmpfs| tmpfs.make(RDONLY | NOSUID | NODEV | NOEXEC))
        .map_err(Error::system("make an empty directory to hide others"))
}

fn empty_file() -> Result<OwnedFd> {
    let null = std::fs::File::open("/dev/null").map_err(Error::path("open", "/dev/null"))?;
    let tree = open_tree(null.as_fd(), false).map_err(Error::path("copy the mount of", "/dev/null"))?;
    set_attributes(tree.as_fd(), RDONLY | NOSUID | NOEXEC, None, false)
        .map_err(Error::path("set up the mount of", "/dev/null"))?;
    Ok(tree)
}
