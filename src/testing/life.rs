//! One container's life with one isolator, call by call.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::call::{Call, Trace};
use super::host::Host;
use crate::cgroup::{Hierarchies, MOUNTINFO};
use crate::config::Launcher;
use crate::container::{ContainerDir, ContainerId, Launched, STATE_VERSION, identify};
use crate::error::{Error, Result};
use crate::isolator::{Facts, Isolator, Watch};
use crate::launcher::{Account, Cgroups, Joins, account};
use crate::proc::Proc;
use crate::protocol::mesos::containerizer::{Launch, Termination};
use crate::protocol::mesos::{ContainerInfo, ExecutorInfo};
use crate::protocol::resources::text;
use crate::protocol::state::{Checkpoint, Process};
use crate::sys::spawn_as_first;

mod calls;
mod helpers;

type Make<'h> = Box<dyn Fn() -> Result<Box<dyn Isolator>> + 'h>;

/// Drives an isolator through a container's life as the containerizer does: facts are stored and come back as bytes, every call
/// is made to a **new instance**, since each may happen in another process, and what the contract says is true by then is true.
///
/// The calls may be made in any order; one that would not happen in a real life tests what is asked of the test. An error names the
/// isolator and the call. When this is dropped before `cleanup` was called, that is done.
///
/// ```
/// # use mesos_ecp::isolator::{Container, Isolator};
/// # use mesos_ecp::testing::{Host, Life};
/// # struct Slots;
/// # impl Isolator for Slots { fn name(&self) -> &str { "acme/slots" } }
/// # fn main() -> mesos_ecp::error::Result<()> {
/// let host = Host::new()?;
/// let mut life = Life::new(&host, "container-1", || Box::new(Slots))?;
/// life.set_resources("cpus:1;mem:64;slots:2")?;
/// life.plan()?;
/// let preparation = life.prepare()?;
/// life.start()?;
/// life.isolate()?;
/// life.update("cpus:1;mem:64;slots:1")?;
/// println!("{:?} {:?}", preparation.environment, life.usage()?);
/// life.end();
/// life.cleanup()?;
/// # Ok(())
/// # }
/// ```
pub struct Life<'h> {
    host: &'h Host,
    make: Make<'h>,
    trace: Option<&'h Trace>,
    name: String,
    id: ContainerId,
    dir: ContainerDir,
    sandbox: PathBuf,
    launch: Launch,
    account: Account,
    proc: Proc,
    owner: Process,
    adopted: bool,
    first: Option<Process>,
    held: Option<Child>,
    cgroups: Cgroups,
    joins: Joins,
    ended: Option<Termination>,
    crash_after: Option<Call>,
    /// How long the last call took.
    took: Cell<Duration>,
    /// What calls have left running, each with its start.
    helpers: RefCell<Vec<(i32, u64)>>,
    /// Something may have been made that is not cleaned up yet.
    dirty: Cell<bool>,
}

/// What [`Life::watch`] has returned, with the isolator that may be asked about it.
pub struct Watching {
    isolator: Box<dyn Isolator>,
    /// What it wants to be polled.
    pub watches: Vec<Watch>,
}

impl<'h> Life<'h> {
    /// A container of this id that is going to be launched: it has its state directory, an empty sandbox, `cpus:1;mem:64`, runs as
    /// the caller and has no cgroups. Processes are looked up in the real /proc.
    ///
    /// # Errors
    /// A bad id, one that is in use on this host, and directories that cannot be made.
    pub fn new(host: &'h Host, id: &str, make: impl Fn() -> Box<dyn Isolator> + 'h) -> Result<Life<'h>> {
        Life::fallible(host, id, Box::new(move || Ok(make())), None)
    }

    pub(super) fn fallible(host: &'h Host, id: &str, make: Make<'h>, trace: Option<&'h Trace>) -> Result<Life<'h>> {
        let id = ContainerId::new(id)?;
        let proc = Proc::default();
        let owner = identify(&proc, std::process::id() as i32)?;
        let checkpoint = Checkpoint { version: STATE_VERSION, owner, ..Checkpoint::default() };
        let name = make()?.name().to_owned();
        let sandbox = host.make_sandbox(&id)?;
        let mut launch = Launch { executor_info: Some(ExecutorInfo::default()), ..Launch::default() };
        launch.container_id.value = id.as_str().to_owned();
        launch.directory = Some(sandbox.to_string_lossy().into_owned());
        let mut life = Life {
            host,
            make,
            trace,
            name,
            dir: host.scope().create(&id, &Launched { record: b"", checkpoint: &checkpoint })?,
            id,
            sandbox,
            launch,
            account: account(None)?,
            proc,
            owner,
            adopted: false,
            first: None,
            held: None,
            cgroups: Cgroups::default(),
            joins: Joins::default(),
            ended: None,
            crash_after: None,
            took: Cell::new(Duration::ZERO),
            helpers: RefCell::default(),
            dirty: Cell::new(false),
        };
        life.set_resources("cpus:1;mem:64")?;
        Ok(life)
    }

    /// What it is asked for with, or what is in force later: as in `cpus:1;mem:64;ports:[31000-31009]`.
    ///
    /// # Errors
    /// A text that is not resources.
    pub fn set_resources(&mut self, resources: &str) -> Result<()> {
        let resources =
            text::parse(resources).map_err(|e| Error::Refused(format!("resources \"{resources}\": {e}")))?;
        self.dir.write_resources(&resources)?;
        self.launch.executor_info.get_or_insert_default().resources = resources;
        Ok(())
    }

    /// The account that it runs as.
    ///
    /// # Errors
    /// One that is not known, or another than the caller's where the caller is not root.
    pub fn set_user(&mut self, user: &str) -> Result<()> {
        self.account = account(Some(user))?;
        self.launch.user = Some(user.to_owned());
        Ok(())
    }

    /// Its ContainerInfo.
    pub fn set_container_info(&mut self, info: ContainerInfo) {
        self.launch.executor_info.get_or_insert_default().container = Some(info);
    }

    /// The record that it is launched with.
    pub fn launch_mut(&mut self) -> &mut Launch {
        &mut self.launch
    }

    /// Another sandbox, which exists.
    pub fn set_sandbox(&mut self, sandbox: impl Into<PathBuf>) {
        self.sandbox = sandbox.into();
        self.launch.directory = Some(self.sandbox.to_string_lossy().into_owned());
    }

    /// Where its sandbox is.
    pub fn sandbox(&self) -> &Path {
        &self.sandbox
    }

    /// Its id.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Cgroups such as those of [`Host::lay_cgroups`].
    pub fn set_cgroups(&mut self, cgroups: Cgroups) {
        self.cgroups = cgroups;
    }

    /// Makes real cgroups in the hierarchies that the isolator works with, below a root of this host's own. To be called before
    /// `plan`. Makes none for an isolator without controllers.
    ///
    /// # Errors
    /// Without root, and where this host has not got them.
    pub fn make_cgroups(&mut self) -> Result<()> {
        let isolator = (self.make)()?;
        let wanted: Vec<(String, &'static str)> =
            isolator.controllers().iter().map(|c| (self.name.clone(), *c)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let hierarchies = Hierarchies::read(Path::new(MOUNTINFO))?;
        let root = self.host.cgroups_root();
        self.cgroups = Cgroups::choose(&hierarchies, Launcher::Posix, &wanted, root, self.id.as_str())?;
        self.joins = self.cgroups.make(None)?;
        Ok(())
    }

    /// Has processes looked up in the host's fake /proc, in which they are laid down: `owner` looks after the container, `first` is
    /// its first process, from when there is to be one. In place of [`Life::start`].
    pub fn set_processes(&mut self, owner: Process, first: Option<Process>) {
        self.proc = self.host.proc();
        (self.owner, self.first) = (owner, first);
    }

    /// Starts a real first process, in the container's cgroups and a session of its own: it sleeps. It ends with the thread that
    /// has started it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = spawn_as_first(&mut command).spawn();
        let child = child.map_err(Error::system("start the first process, which is sleep"))?;
        let pid = child.id();
        helpers::keep(pid as i32);
        self.held = Some(child);
        let joined = Error::system("put the first process into its cgroup");
        let unified = self.joins.unified.as_ref().map(|c| c.file("cgroup.procs", OFlag::O_WRONLY)).transpose()?;
        let mut files = self.joins.tasks.iter().chain(&unified);
        files.try_for_each(|mut file| write!(file, "{pid}")).map_err(joined)?;
        self.first = Some(identify(&self.proc, pid as i32)?);
        Ok(())
    }

    /// Ends the first process of [`Life::start`]: `usage` may still be asked for a moment, `cleanup` is next.
    pub fn end(&mut self) {
        self.kill_held();
        self.ended = Some(Termination {
            message: Some("Executor terminated".into()),
            status: Some(9),
            ..Termination::default()
        });
    }

    fn kill_held(&mut self) {
        if let Some(mut child) = self.held.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            helpers::forget(child.id() as i32);
        }
    }

    /// Has the process that makes the next such call die before anything that the call returned is stored. Whoever makes the calls
    /// after it has taken over from a dead one.
    pub fn crash_after(&mut self, call: Call) {
        self.crash_after = Some(call);
    }

    /// From here on everybody has taken over from a dead one.
    pub fn adopt(&mut self) {
        self.adopted = true;
        self.end_helpers();
    }

    /// The facts as they are stored; empty where there are none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn facts(&self) -> Result<Facts> {
        self.dir.facts(&self.name)
    }

    /// Puts other facts in the place of those.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn set_facts(&self, facts: &[u8]) -> Result<()> {
        self.dir.write_facts(&self.name, facts)
    }

    /// Has another one hear of the calls.
    pub(super) fn trace(&mut self, trace: &'h Trace) {
        self.trace = Some(trace);
    }

    /// How the first process of [`Life::start`] has ended by itself, or by somebody's doing; None while it runs.
    pub(super) fn first_has_ended(&mut self) -> Option<ExitStatus> {
        self.held.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// How long the last call took.
    pub(super) fn took(&self) -> Duration {
        self.took.get()
    }

    /// What somebody who looks for the reason of something finds.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.log_path()).unwrap_or_default()
    }
}

impl Drop for Life<'_> {
    fn drop(&mut self) {
        if self.dirty.get() {
            // Whoever drops it has had another failure that says more.
            let _ = self.cleanup();
        }
        self.kill_held();
        self.cgroups.remove(Instant::now() + Duration::from_secs(5), |_| {});
        let _ = self.dir.remove();
    }
}

#[cfg(test)]
mod tests;
