//! `filesystem/posix`, `filesystem/shared` and `filesystem/linux`: what a container sees of file systems. One of them is in
//! every list of isolators, in front.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod linux;
mod persistent;
mod posix;
pub mod root;
mod shared;
mod volumes;

use std::fs::File;
use std::os::fd::AsFd;

use nix::unistd::{getegid, geteuid};

use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Mount, mount};
use crate::protocol::mesos::Volume;

pub use linux::Linux;
pub use persistent::Directory;
pub use posix::Posix;
pub use shared::Shared;

/// The one that is meant where none is named.
pub(super) const POSIX: &str = "filesystem/posix";

/// Those that take volumes.
pub(super) const TAKE_VOLUMES: &[&str] = &["filesystem/linux", "filesystem/shared"];

/// Those that give persistent volumes to containers.
pub(super) const KEEP_VOLUMES: &[&str] = &[POSIX, "filesystem/linux"];

/// The list with its isolator for file systems in front.
///
/// # Errors
/// More than one.
pub(super) fn in_front(names: Vec<String>) -> Result<Vec<String>> {
    let (mut all, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.starts_with("filesystem/"));
    match all.as_slice() {
        [] => all.push(POSIX.to_owned()),
        [_] => {}
        [first, second, ..] => {
            return Err(Error::Refused(format!(
                "--isolation has both {first} and {second}: a container has one isolator for file systems; leave one out"
            )));
        }
    }
    all.extend(others);
    Ok(all)
}

/// Stores an isolator's facts ahead of what they say.
fn remember(container: &Container<'_>, isolator: &'static str) -> impl FnOnce(&Facts) -> Result<()> {
    let state = container.state;
    move |facts| state.map_or(Ok(()), |state| state.write_facts(isolator, facts))
}

/// The mounts that another isolator wants, as if they were volumes of the task's. In a root directory of the container's own they have
/// to be in the sandbox.
///
/// # Errors
/// Of the first that cannot be had.
pub(super) fn mounts_for(container: &Container<'_>, wanted: &[Volume]) -> Result<Vec<Mount>> {
    let user = container.asked.map_or_else(|| (geteuid(), getegid()), |asked| asked.account.owner());
    let mut place = volumes::Place::new(container.sandbox, user)?;
    let seen = container.sandbox_inside();
    if seen != container.sandbox {
        if let Some(volume) = wanted.iter().find(|volume| volume.container_path.starts_with('/')) {
            return Err(Error::Refused(format!(
                "it wants a mount at {}: in a root directory of the container's own (--default_rootfs) only volumes of the task \
                 and of --default_container_info go there; isolators have the sandbox (a relative container_path)",
                volume.container_path.escape_debug()
            )));
        }
        place = place.with_sandbox_at(seen.to_owned());
    }
    volumes::mounts(wanted, &place, volumes::Rules::Linux)
}

/// Whether this process can give a container mounts of its own.
fn probe() -> Result<()> {
    let root = File::open("/").map_err(Error::path("open", "/"))?;
    // It changes nothing.
    match mount::set_attributes(root.as_fd(), 0, None, false) {
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => {
            Err(Error::Refused("Linux 5.12 or later is needed (mount_setattr)".into()))
        }
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => Err(Error::Refused(
            "only root (CAP_SYS_ADMIN) can give a container mounts of its own: run the agent as root, or leave this \
             isolator out"
                .into(),
        )),
        done => done.map_err(Error::system("change attributes of mounts")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn list(names: &[&str]) -> Result<String> {
        in_front(names.iter().map(|name| (*name).to_owned()).collect()).map(|all| all.join(" "))
    }

    #[test]
    fn there_is_exactly_one_and_it_goes_first() {
        assert_eq!(list(&["posix/cpu"]).unwrap(), "filesystem/posix posix/cpu");
        assert_eq!(list(&["posix/cpu", "filesystem/linux"]).unwrap(), "filesystem/linux posix/cpu");
        let error = list(&["filesystem/linux", "a", "filesystem/shared"]).unwrap_err().to_string();
        assert!(error.contains("both filesystem/linux and filesystem/shared"), "{error}");
    }
}
