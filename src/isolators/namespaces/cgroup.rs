//! `namespaces/cgroup`: the container sees its own cgroup as the root of the v2 hierarchy, and nothing above or beside it.
//!
//! The namespace is made by the first process when it is in its cgroups: one that is made by the clone has the cgroups of who
//! clones as its roots. The v2 file system is mounted once more, from within, where the host has it: the host's mount would go
//! on showing everything.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cgroup::{Hierarchies, MOUNTINFO};
use crate::error::{Error, Result};
use crate::isolator::mount::{NODEV, NOEXEC, NOSUID};
use crate::isolator::{Container, Facts, Isolator, Mount, Preparation, Source, Stage};
use crate::isolators::Settings;

/// See the module.
#[derive(Debug)]
pub struct Cgroup {
    settings: Settings,
}

impl Cgroup {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Cgroup {
        Cgroup { settings: settings.clone() }
    }
}

fn none() -> Error {
    Error::Refused(
        "it needs the cgroup v2 hierarchy, and none is mounted writable (the old ones cannot be had anew)".into(),
    )
}

impl Isolator for Cgroup {
    fn name(&self) -> &str {
        "namespaces/cgroup"
    }

    fn probe(&self) -> Result<()> {
        super::probe(&self.settings, "cgroup")?;
        Hierarchies::read(Path::new(MOUNTINFO))?.unified().map(drop).ok_or_else(none)
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let point = container.cgroups.unified().ok_or_else(none)?;
        let at = CString::new(point.as_os_str().as_bytes()).map_err(|_| none())?;
        let source = Source::FreshIfThere { kind: c"cgroup2", attributes: NOSUID | NODEV | NOEXEC };
        let mounts = vec![Mount { stage: Stage::Special, what: format!("cgroup2 at {}", point.display()), at, source }];
        let namespaces = (libc::CLONE_NEWCGROUP | libc::CLONE_NEWNS) as u64;
        Ok(Preparation { namespaces, mounts, ..Preparation::default() })
    }
}
