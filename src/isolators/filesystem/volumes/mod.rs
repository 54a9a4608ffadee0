//! The volumes of a ContainerInfo, as mounts that are ready to be put in their places.
//!
//! Everything is opened once, by descriptor, and what was looked at is what is mounted: nobody who renames things in the
//! sandbox or on the way to a path meanwhile can make it something else. What is opened how:
//!
//! | path | how |
//! |--|--|
//! | absolute host_path; absolute container_path in the host's file systems | [`paths::trusted`](crate::paths::trusted) |
//! | relative host_path, relative container_path: in the sandbox | [`paths::Beneath`](crate::paths::Beneath) |
//! | absolute container_path in a root file system of the container's own | [`RootDirectory`](super::root::RootDirectory) |
//!
//! A volume is a copy of the mounts at its host_path and below, detached, made read-only as a whole if it is to be, and a
//! slave of the host's: what the host mounts or unmounts there later reaches the container (else a file system that a
//! container once saw could never be unmounted), and nothing of the container's reaches the host.
#![forbid(unsafe_code)]

mod place;
mod source;
mod target;

#[cfg(test)]
mod tests;

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::sys::stat::{SFlag, fstat};

use crate::error::{Error, Result};
use crate::isolator::mount::{Propagation, RDONLY, open_tree, set_attributes};
use crate::isolator::{Mount, Source, Stage};
use crate::protocol::mesos::Volume;
use crate::protocol::mesos::volume::Mode;

pub(super) use place::Place;

/// What an isolator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Absolute container paths, none within another.
    Shared,
    /// All.
    Linux,
}

/// A volume whose both ends are open.
#[derive(Debug)]
struct Placed {
    /// Where the container has it: canonical.
    at: PathBuf,
    /// What is mounted there, of O_PATH.
    source: OwnedFd,
    /// Its path on the host.
    from: PathBuf,
    read_only: bool,
}

/// Makes all volumes ready, in their order. Mount points and private directories that are missing are made.
///
/// # Errors
/// Of the first that cannot be had, which is named with the reason.
pub(super) fn mounts(volumes: &[Volume], place: &Place<'_>, rules: Rules) -> Result<Vec<Mount>> {
    let mut all: Vec<Placed> = Vec::with_capacity(volumes.len());
    for volume in volumes {
        let placed = put(volume, place, rules, &all).map_err(|e| {
            Error::Refused(format!(
                "the volume with host_path \"{}\" and container_path \"{}\": {e}",
                volume.host_path().escape_debug(),
                volume.container_path.escape_debug()
            ))
        })?;
        all.push(placed);
    }
    all.into_iter().map(mount).collect()
}

fn put(volume: &Volume, place: &Place<'_>, rules: Rules, earlier: &[Placed]) -> Result<Placed> {
    let read_only = match Mode::try_from(volume.mode) {
        Ok(Mode::Ro) => true,
        Ok(Mode::Rw) => false,
        Err(_) => return Err(Error::Refused(format!("its mode {} is neither RW nor RO", volume.mode))),
    };
    let wanted = place.within(target::parse(&volume.container_path, rules)?);
    let host = source::parse(volume)?;
    if host.is_relative() && wanted.is_relative() {
        return Err(Error::Refused(
            "both are relative, that is, in the sandbox: the task has it there without a volume; make one of them absolute"
                .into(),
        ));
    }
    let mut target = target::find(&wanted, place, rules, earlier)?;
    let (source, from) = source::open(&host, place, target.there.as_ref())?;
    let is_directory = is_directory(&source)?;
    match &target.there {
        Some(there) if self::is_directory(there)? == is_directory => {}
        Some(_) => {
            let (this, that) = if is_directory { ("directory", "file") } else { ("file", "directory") };
            return Err(Error::Refused(format!(
                "{} is a {this} and {} a {that}: one can only be mounted on its like",
                from.display(),
                target.at.display()
            )));
        }
        None => target.at = target::make(&wanted, place, rules, earlier, is_directory)?,
    }
    Ok(Placed { at: target.at, source, from, read_only })
}

fn mount(placed: Placed) -> Result<Mount> {
    let Placed { at, source, from, read_only } = placed;
    let what = format!("the volume {} at {}", from.display(), at.display());
    let copy = || {
        let tree = open_tree(source.as_fd(), true)?;
        set_attributes(tree.as_fd(), if read_only { RDONLY } else { 0 }, Some(Propagation::Slave), true)?;
        Ok(tree)
    };
    let tree = copy().map_err(Error::path("make a mount of", &from))?;
    let at = CString::new(at.as_os_str().as_bytes())
        .map_err(|_| Error::Refused(format!("{what}: there is a NUL byte in a path")))?;
    Ok(Mount { stage: Stage::Volume, what, at, source: Source::Mapped(tree) })
}

fn is_directory(fd: &OwnedFd) -> Result<bool> {
    let found = fstat(fd).map_err(Error::system("look at what was opened"))?;
    Ok(SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}
