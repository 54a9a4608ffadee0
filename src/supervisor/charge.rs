//! A container with what is needed to call its isolators, for whoever has to do with it.
#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::container::ContainerDir;
use crate::error::Result;
use crate::isolator::Container;
use crate::isolators::{Set, Settings};
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::mesos::Resource;
use crate::protocol::state::Checkpoint;

/// A live container.
pub struct Charge {
    /// Its state directory.
    pub dir: ContainerDir,
    /// Its checkpoint as last read or written.
    pub checkpoint: Checkpoint,
    /// Its isolators.
    pub set: Set,
    /// Its cgroups.
    pub cgroups: Cgroups,
    /// Where to read about processes.
    pub proc: Proc,
}

/// For a checkpoint that names none (written by nobody so far).
const DESTROY_TIMEOUT: Duration = Duration::from_secs(60);

impl Charge {
    /// The container as its state directory describes it, with the isolators that it was launched with.
    ///
    /// # Errors
    /// When an isolator is not known to this program.
    pub fn of(dir: ContainerDir, checkpoint: Checkpoint, config: &Config, proc: &Proc) -> Result<Charge> {
        let set = Set::new(&checkpoint.isolation, &Settings::of_container(config, &checkpoint))?;
        let cgroups = Cgroups::of_checkpoint(&checkpoint, dir.id().as_str());
        Ok(Charge { dir, checkpoint, set, cgroups, proc: proc.clone() })
    }

    /// What the isolators are told once it runs: `resources` are those of [`Charge::resources`]. Calls that must go on where
    /// these cannot be read are made all the same; an isolator that goes by them hears of it by [`Container::resources`].
    pub fn running<'a>(&'a self, resources: &'a Result<Vec<Resource>>) -> Container<'a> {
        match resources {
            Ok(resources) => self.container(resources),
            Err(why) => Container { unread: Some(why), ..self.container(&[]) },
        }
    }

    /// What the isolators are told.
    pub fn container<'a>(&'a self, resources: &'a [Resource]) -> Container<'a> {
        Container {
            id: self.dir.id(),
            sandbox: Path::new(self.checkpoint.sandbox.as_deref().unwrap_or("/")),
            user: self.checkpoint.user.as_deref(),
            asked: None,
            resources,
            unread: None,
            first: self.checkpoint.first.as_ref(),
            owner: &self.checkpoint.owner,
            adopted: self.checkpoint.adopted(),
            cgroups: &self.cgroups,
            ended: None,
            mark: self.checkpoint.mark.as_deref(),
            state: Some(&self.dir),
            proc: &self.proc,
            seen: OnceCell::new(),
            members: OnceCell::new(),
        }
    }

    /// The resources in force.
    ///
    /// # Errors
    /// When they cannot be read: then nobody knows what the container may use, which is not the same as nothing.
    pub fn resources(&self) -> Result<Vec<Resource>> {
        self.dir.resources()
    }

    /// How long killing may take before it is given up towards the agent.
    pub fn destroy_timeout(&self) -> Duration {
        self.checkpoint.destroy_timeout_ms.map_or(DESTROY_TIMEOUT, Duration::from_millis)
    }
}
