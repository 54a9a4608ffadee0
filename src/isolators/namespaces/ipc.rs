//! `namespaces/ipc`: System V IPC objects, POSIX message queues and shared memory of the container's own.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::error::{Error, Result};
use crate::isolator::mount::{Configured, NODEV, NOEXEC, NOSUID};
use crate::isolator::{Container, Facts, Isolator, Mount, Preparation, Source, Stage};
use crate::isolators::Settings;

/// See the module.
#[derive(Debug)]
pub struct Ipc {
    settings: Settings,
}

const SHM: &CStr = c"/dev/shm";
const MQUEUE: &CStr = c"/dev/mqueue";

impl Ipc {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Ipc {
        Ipc { settings: settings.clone() }
    }
}

impl Isolator for Ipc {
    fn name(&self) -> &str {
        "namespaces/ipc"
    }

    fn probe(&self) -> Result<()> {
        super::probe(&self.settings, "ipc")
    }

    fn prepare(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        // For everybody, as the host's; programs may be mapped from there on the host, too. As large as tmpfs makes it.
        let shm = Configured::new(c"tmpfs")
            .and_then(|shm| shm.set(c"mode", c"1777"))
            .and_then(|shm| shm.make(NOSUID | NODEV))
            .map_err(Error::system("make a file system for /dev/shm"))?;
        // A mount of message queues shows the namespace that it was made in, so the host's would be seen.
        let mqueue = Source::FreshIfThere { kind: c"mqueue", attributes: NOSUID | NODEV | NOEXEC };
        let mounts = [(SHM, Source::TreeIfThere(shm)), (MQUEUE, mqueue)];
        let mount = |(path, source): (&CStr, Source)| {
            let what = path.to_string_lossy().into_owned();
            // On old systems one of them is a link. What the host has not, a root directory of the container's own may have.
            let at = super::place(&what).unwrap_or_else(|| path.into());
            Mount { stage: Stage::Special, what, at, source }
        };
        let mounts = mounts.into_iter().map(mount).collect();
        let namespaces = (libc::CLONE_NEWIPC | libc::CLONE_NEWNS) as u64;
        Ok(Preparation { namespaces, mounts, ..Preparation::default() })
    }
}
