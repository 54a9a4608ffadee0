//! `namespaces/pid`: the container sees its own processes only, and all of them end with its first.
//!
//! The first is the executor, as with the built-in isolator, or with `--pid1=init` a small init whose child the executor is.
#![forbid(unsafe_code)]

use crate::config::Pid1;
use crate::error::{Error, Result};
use crate::isolator::mount::{Configured, NODEV, NOEXEC, NOSUID, RDONLY};
use crate::isolator::{Container, Facts, Isolator, Mount, Preparation, Source, Stage};
use crate::isolators::Settings;
use crate::launcher::{find_init, open_init};

/// See the module.
#[derive(Debug)]
pub struct Pid {
    settings: Settings,
}

/// Where an agent's built-in isolator keeps descriptors of the pid namespaces of its containers.
const HANDLES: &str = "/var/run/mesos/pidns";

impl Pid {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Pid {
        Pid { settings: settings.clone() }
    }

    fn init(&self) -> bool {
        self.settings.namespaces.pid1 == Pid1::Init
    }
}

impl Isolator for Pid {
    fn name(&self) -> &str {
        "namespaces/pid"
    }

    fn probe(&self) -> Result<()> {
        super::probe(&self.settings, "pid")?;
        if self.init() {
            find_init()?;
        }
        Ok(())
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let attributes = NOSUID | NODEV | NOEXEC;
        let mut mounts = vec![Mount {
            stage: Stage::Special,
            what: "/proc".into(),
            at: c"/proc".into(),
            source: Source::Fresh { kind: c"proc", attributes },
        }];
        if let Some(at) = super::place(HANDLES) {
            let empty = Configured::new(c"tmpfs").and_then(|empty| empty.make(attributes | RDONLY));
            mounts.push(Mount {
                stage: Stage::Mask,
                what: format!("an empty directory at {HANDLES}"),
                at,
                source: Source::TreeIfThere(empty.map_err(Error::system("make an empty file system"))?),
            });
        }
        let init = match container.state {
            Some(dir) if self.init() => Some(open_init(dir)?),
            _ => None,
        };
        let namespaces = (libc::CLONE_NEWPID | libc::CLONE_NEWNS) as u64;
        Ok(Preparation { namespaces, mounts, init, ..Preparation::default() })
    }
}
