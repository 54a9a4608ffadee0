//! What an isolator is: the contract between the containerizer and everything that confines or measures a container.
//!
//! # The calls in the life of a container
//! | call | in which process | what is already true | how often |
//! |--|--|--|--|
//! | [`probe`](Isolator::probe) | launch, and `config` | nothing of the container exists | once, before all others |
//! | [`described`](Isolator::described), [`controllers`](Isolator::controllers) | launch | nothing of the container exists | once, after `probe` |
//! | [`plan`](Isolator::plan) | the supervisor | the container's state directory exists; nothing else | once |
//! | [`prepare`](Isolator::prepare) | the supervisor | the facts that `plan` returned are stored; the container's cgroups exist, with nothing in them | once |
//! | [`isolate`](Isolator::isolate) | the supervisor | the first process exists; it is in its cgroups, has its session, output and user, and is held: it has executed nothing | once |
//! | [`watch`](Isolator::watch) | the supervisor, or who takes over from it | the command runs | once by each of these |
//! | [`ready`](Isolator::ready) | who called `watch` | the command runs, or has just ended | for each look at a descriptor that is ready |
//! | [`update`](Isolator::update) | update, under the container's lock | the command runs, or has just ended | any number, one after the other, also with nothing changed |
//! | [`usage`](Isolator::usage) | usage, without a lock | the command runs, or has just ended | any number, several at once, beside any other call |
//! | [`recover`](Isolator::recover) | who takes over from a dead supervisor | the command may run | once by each of these, before `watch` |
//! | [`verdict`](Isolator::verdict) | the supervisor, or who took over from it | the first process has ended, or somebody asked for the end | at most once by each of these |
//! | [`cleanup`](Isolator::cleanup) | whoever ends the container, under its lock | all its processes are gone; its cgroups still exist | at least once |
//!
//! `plan`, `prepare` and `isolate` go in the order of `--isolation`, `cleanup` in the reverse. `plan` and `prepare` of one isolator follow
//! each other; then it is the turn of the next one.
//!
//! [`name`](Isolator::name), [`ids`](Isolator::ids) and [`measures`](Isolator::measures) may be called at any time and always say the same.
//!
//! # The processes
//! Each of them belongs to this program and has one thread; launch, update and usage are called by the agent, which waits for
//! them, the supervisor and who takes over from it are forked. They run as the agent's account, mostly root. For a call this means:
//! * **It may be cut short anywhere by SIGKILL**, between any two of its system calls. After one of the launch follows `cleanup`, after one of an update
//!   perhaps another update, `recover`, or `cleanup`. There is no way to be told first.
//! * It starts no threads: a process with several cannot fork, and verbs fork. A child that it starts it also waits for before it
//!   returns; the supervisor reaps whatever it finds, as its own children or the container's.
//! * Standard output is the verb's answer to the agent. What there is to say goes into an error.
//! * Nothing limits its time. As long as it takes, the agent's call takes, or the supervisor does not see the container's end; agents
//!   ask for `usage` every second. What waits for somebody else gives up some time.
//! * The environment may hold what a task wanted to be there, so nothing is gone by that: what an operator says stands in the
//!   [`Settings`](crate::isolators::Settings), or in a file that only root can write.
//! * The sandbox is the task's. What is in it may be a link to anywhere, and may change while it is looked at: [`crate::paths`].
//! * A panic ends the process, like SIGKILL.
//!
//! # No memory
//! Each call may happen in another process, and each process makes its own instance; so an isolator keeps nothing in itself
//! between calls. What it cannot derive from
//! the container's id it returns as *facts*, opaque bytes that are stored in the container's state directory and handed to
//! every later call. `plan` makes nothing: it only returns the facts that say what `prepare` is going to make, so that
//! they are on disk before the thing exists and whoever comes after a crash can undo it. Who can find what belongs to a container by its id
//! alone, as one that writes the id on whatever it takes, needs no such facts, and may return others from `prepare`. Only `watch`, `ready` and what else
//! the same process calls may share more: what belongs to the descriptors, which die with that process, too.
//!
//! What `usage` shows and only the supervisor can know (it watches for it) is published: [`Watched::Figures`] stores it,
//! [`Container::figures`] reads it. Whoever takes over goes on from there.
//!
//! # Cgroups
//! An isolator names the [`controllers`](Isolator::controllers) that it works with. The container's cgroups in their
//! hierarchies are made before `prepare`, the first process is put into them before its first instruction, and they are
//! removed after `cleanup`. In between, [`Container::cgroups`] opens them.
//!
//! # Mounts, namespaces, rights
//! `prepare` makes what is mounted, out of everybody's sight ([`mount`]), and returns it as part of its [`Preparation`]. The
//! first process only puts it in its place. So nothing is computed between clone and exec, nothing is ever mounted in the
//! host's namespace, and there is nothing to be undone: a mount namespace ends with its last process.
//!
//! # Failing
//! A failing `plan`, `prepare` or `isolate` fails the launch; `cleanup` of all isolators that were planned follows, this
//! one included. So `cleanup` must cope with a thing half made, not made at all, or cleaned up already: **it may run
//! twice**. A failing `usage` drops this isolator's part of one sample, a failing `update` makes the agent destroy the
//! container.
//!
//! A failing `cleanup` is called again at once, before it is the turn of the isolator in front of it: three times in all, with
//! pauses of 50 and 250 ms, but not after one that took a second or more. So something that fails for a moment is nobody's
//! concern. If it still fails that is logged, things of this isolator may be left, and the others are cleaned up all the same: no
//! verb ever hangs for it. After a `cleanup` that succeeded no further one follows, unless its caller dies before it has forgotten
//! the container: whoever comes after it cleans up once more.
#![forbid(unsafe_code)]

mod members;
mod preparation;

use std::cell::OnceCell;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::poll::PollFlags;

use crate::config::IdRange;
use crate::container::{ContainerDir, ContainerId};
use crate::error::{Error, Result};
use crate::launcher::{Account, Cgroups};
use crate::proc::Proc;
use crate::protocol::mesos::containerizer::{Launch, Termination};
use crate::protocol::mesos::{ContainerInfo, Resource, ResourceStatistics};
use crate::protocol::state::Process;

pub use crate::sys::{Capabilities, Content, Mount, Privileges, Rlimit, Root, Source, Stage, mount};
pub use members::Members;
pub use preparation::{Filter, Preparation, UserNamespace};

/// What an isolator remembers of one container, in a form of its own.
pub type Facts = Vec<u8>;

/// The container that a call is about.
#[derive(Debug)]
pub struct Container<'a> {
    /// Its id.
    pub id: &'a ContainerId,
    /// Its directory on the host, absolute.
    pub sandbox: &'a Path,
    /// The account that it runs as; None: that of the agent.
    pub user: Option<&'a str>,
    /// What it was asked for with, in `plan`, `prepare` and `isolate`; None later: what is needed then must be in the facts.
    pub asked: Option<Asked<'a>>,
    /// The resources in force; in `update` the new ones. Only where a call is made although they are not known they are
    /// empty, and `unread` says why: whoever goes by them in `watch`, `ready`, `recover`, `verdict` or `cleanup` asks
    /// [`Container::resources`].
    pub resources: &'a [Resource],
    /// Why the resources in force cannot be read.
    pub unread: Option<&'a Error>,
    /// Its first process, from `isolate` on.
    pub first: Option<&'a Process>,
    /// The process that looks after it. Unless `adopted`, it is the subreaper of all processes of the container, and those
    /// are its descendants in other sessions than its own.
    pub owner: &'a Process,
    /// The owner took over from a dead supervisor: only the first process's tree is known.
    pub adopted: bool,
    /// Its cgroups.
    pub cgroups: &'a Cgroups,
    /// How it ended, in the `cleanup` that follows an end. None before, and in one that follows a launch that failed.
    pub ended: Option<&'a Termination>,
    /// What the programs that are started for it have in their environment, so that those of a dead caller can be found.
    pub mark: Option<&'a str>,
    /// Its state directory; None in tests of a single isolator.
    pub state: Option<&'a ContainerDir>,
    /// Where to read about processes.
    pub proc: &'a Proc,
    /// For [`Container::sandbox_inside`]; starts empty.
    pub seen: OnceCell<PathBuf>,
    /// For [`Container::members`]; starts empty.
    pub members: OnceCell<Members>,
}

/// What a container was asked for with.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The record. The ContainerInfo that is in force stands in its executor_info.
    pub launch: &'a Launch,
    /// The account that it runs as.
    pub account: &'a Account,
}

impl<'a> Asked<'a> {
    /// The ContainerInfo that is in force, if there is one.
    pub fn container(&self) -> Option<&'a ContainerInfo> {
        self.launch.executor_info.as_ref().and_then(|executor| executor.container.as_ref())
    }
}

impl Container<'_> {
    /// The resources in force.
    ///
    /// # Errors
    /// Why they cannot be read. The container may have any; that it has none must not be concluded.
    pub fn resources(&self) -> Result<&[Resource]> {
        match self.unread {
            None => Ok(self.resources),
            Some(why) => Err(Error::Refused(format!("the resources in force are not known: {why}"))),
        }
    }

    /// What it was asked for with, in `plan`, `prepare` and `isolate`.
    ///
    /// # Errors
    /// In a later call.
    pub fn asked(&self) -> Result<Asked<'_>> {
        self.asked.ok_or_else(|| Error::refused("what the container was asked for with is not known in this call"))
    }

    /// `--runtime_dir`, or what is usual for who runs this: only its owner may enter it. It may be on a disk, and so outlive the
    /// boot; containers do not.
    ///
    /// # Errors
    /// In tests of a single isolator, without a state directory.
    pub fn runtime_dir(&self) -> Result<&Path> {
        // `<runtime_dir>/<agent>/<boot>/live/<id>` is where a container's state is.
        let above = self.state.and_then(|state| state.path().ancestors().nth(4));
        above.ok_or_else(|| Error::refused("the container has no state directory"))
    }

    /// A directory in [`Container::runtime_dir`] for what the containers of all agents of this host share in this boot: who has which
    /// device. `name` is best the isolator's, without a slash. The isolator makes it, with what is above it, for its owner
    /// only.
    ///
    /// # Errors
    /// As [`Container::runtime_dir`].
    pub fn shared_dir(&self, name: &str) -> Result<PathBuf> {
        let boot = self.state.and_then(|state| state.path().ancestors().nth(2)).and_then(Path::file_name);
        let boot = boot.ok_or_else(|| Error::refused("the container has no state directory"))?;
        Ok(self.runtime_dir()?.join(name).join(boot))
    }

    /// Where the container's processes have the sandbox: in a root directory of the container's own it is elsewhere than on the
    /// host. Known in `prepare` to all but the isolator that gives the root, and to none later.
    pub fn sandbox_inside(&self) -> &Path {
        self.seen.get().map_or(self.sandbox, PathBuf::as_path)
    }

    /// What the isolator of this name has published with [`Watched::Figures`]; None when it has not yet.
    ///
    /// # Errors
    /// When there is something and it cannot be read.
    pub fn figures(&self, isolator: &str) -> Result<Option<Vec<u8>>> {
        self.state.map_or(Ok(None), |state| state.figures(isolator))
    }
}

/// Something that the supervisor polls for an isolator.
#[derive(Debug)]
pub struct Watch {
    /// The descriptor.
    pub fd: OwnedFd,
    /// For what it is polled; POLLHUP and POLLERR always count.
    pub events: PollFlags,
}

/// Why a container has to end: a limit of its was exceeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Limitation {
    /// For the framework, for instance `Disk usage (4MB) exceeds quota (3MB)`.
    pub message: String,
    /// A value of mesos.TaskStatus.Reason: 8 memory, 19 any other, 20 disk (agent 0.26 and later).
    pub reason: i32,
}

/// What became of a watch whose descriptor was ready.
#[derive(Debug)]
pub enum Watched {
    /// Go on polling it.
    Continue,
    /// Publish these figures for `usage`, in place of what was published before, and go on polling it.
    Figures(Vec<u8>),
    /// Stop polling it.
    Done,
    /// End the container.
    Limited(Limitation),
}

/// One isolator. See the [module](self) for who calls what when, and in which process.
///
/// All calls but [`name`](Isolator::name) have an answer that is right for an isolator that does nothing. Errors are made by
/// [`Error::refused`], [`Error::path`] and [`Error::system`]; the isolator's name and the call are put in front of them.
pub trait Isolator {
    /// The name in `--isolation`. The state of containers has it as well: another one is another isolator.
    fn name(&self) -> &str;

    /// The cgroup controllers that it works with, named as in v1 (`memory`, `cpuacct`, `blkio`, ...). The launch is refused
    /// where the host does not have one of them. Which version it is, [`Cgroups::is_unified`] says.
    fn controllers(&self) -> &[&'static str] {
        &[]
    }

    /// What [`probe`](Isolator::probe) has found out about the isolator itself that its later calls need, in a form of its own. Kept
    /// with the container and handed to who makes the isolator for another call
    /// ([`Settings::described`](crate::isolators::Settings::described)).
    fn described(&self) -> Option<Vec<u8>> {
        None
    }

    /// The ids of the host that the container's ids from 0 on are, for one that gives it a [`UserNamespace`].
    fn ids(&self) -> Option<IdRange> {
        None
    }

    /// Whether this host can do it, beyond having the controllers: what would make every launch fail. Makes nothing, and holds no
    /// lock when it returns; launches go on beside it.
    ///
    /// # Errors
    /// Why not, and what to do. The launch is then refused before anything is made.
    fn probe(&self) -> Result<()> {
        Ok(())
    }

    /// Says what will be made. Makes nothing, and takes nothing: what is returned is on disk before `prepare` is called with it.
    /// Without this, the facts are empty.
    ///
    /// # Errors
    /// When this container cannot be isolated. Fails the launch; `cleanup` follows, with empty facts.
    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        Ok(Facts::new())
    }

    /// Makes what the container needs before its first process, and says what the launcher shall do for it. Facts in the
    /// [`Preparation`] replace those of `plan` when this has returned: a crash before that leaves `cleanup` with the old ones.
    ///
    /// # Errors
    /// Fails the launch; `cleanup` follows, with the facts of `plan`.
    fn prepare(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        Ok(Preparation::default())
    }

    /// Puts the held first process under control. It has one thread, and what is done to it holds for all that it starts. It may
    /// be gone (somebody killed it): that is an error like any other.
    ///
    /// # Errors
    /// Fails the launch; `cleanup` follows.
    fn isolate(&self, _container: &Container<'_>, _facts: &Facts) -> Result<()> {
        Ok(())
    }

    /// What the supervisor shall poll as long as the container runs. Called once after the launch and once after each
    /// take-over.
    ///
    /// # Errors
    /// Logged; the container then runs unwatched by this isolator.
    fn watch(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Vec<Watch>> {
        Ok(Vec::new())
    }

    /// A descriptor of [`watch`](Isolator::watch) is ready. Must not block.
    ///
    /// # Errors
    /// Logged; the descriptor is not polled any more. One for want of descriptors or memory: it is called again.
    fn ready(&self, _container: &Container<'_>, _facts: &Facts, _fd: BorrowedFd<'_>) -> Result<Watched> {
        Ok(Watched::Done)
    }

    /// Applies new resources: [`Container::resources`](field@Container::resources) has all that count from now on, stored already.
    /// Called one after the other for a container, perhaps with nothing changed, perhaps after one that was killed half way. Returns
    /// new facts, stored when this has returned, or None for the old ones.
    ///
    /// # Errors
    /// The agent destroys the container. Isolators behind this one in the list are not asked.
    fn update(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Option<Facts>> {
        Ok(None)
    }

    /// Whether [`usage`](Isolator::usage) has anything to say. If not it is not called, and no facts are read for it.
    fn measures(&self) -> bool {
        true
    }

    /// Fills in what this isolator measures; what isolators before it in the list have filled in stands there. Several calls may
    /// run at once, and beside any other call, `cleanup` among them: it changes nothing, and what it reads may be half there. To be done within a
    /// millisecond or two.
    ///
    /// # Errors
    /// This isolator's part is missing in the sample; the others' stand.
    fn usage(&self, _container: &Container<'_>, _facts: &Facts, _statistics: &mut ResourceStatistics) -> Result<()> {
        Ok(())
    }

    /// Makes sure after a take-over that what was made is still in order, and ends what an update had begun when it was killed: the
    /// [resources](Container::resources()) in force may be newer than the facts. Only for containers whose launch succeeded. Returns
    /// new facts, or None for the old ones.
    ///
    /// # Errors
    /// Logged in the container's state; the container goes on.
    fn recover(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Option<Facts>> {
        Ok(None)
    }

    /// Looks once more whether a limit of its was what ended the container: a limit and the end may come at the same moment,
    /// and one that was hit must not be reported as a plain exit. Not called where a limitation is known already. After a take-over
    /// it is asked again, perhaps of a container that has been cleaned up in part.
    ///
    /// # Errors
    /// Logged; the end is then reported as it is known.
    fn verdict(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Option<Limitation>> {
        Ok(None)
    }

    /// Undoes whatever was made, as far as it was made: all, a part, or nothing; also where neither `plan` nor `prepare` was ever
    /// called, and what an earlier `cleanup` has undone. A thing that is not there any more is no error, and one of another container is
    /// left alone. [`Container::ended`] says how the container ended.
    ///
    /// # Errors
    /// It is tried again a few times, then logged; the other isolators are still cleaned up. See [Failing](self#failing).
    fn cleanup(&self, _container: &Container<'_>, _facts: &Facts) -> Result<()> {
        Ok(())
    }
}

/// Names the isolator and the call in an error.
pub fn in_call<T>(isolator: &dyn Isolator, call: &'static str, result: Result<T>) -> Result<T> {
    result.map_err(|source| Error::Isolator { isolator: isolator.name().to_owned(), call, source: Box::new(source) })
}
