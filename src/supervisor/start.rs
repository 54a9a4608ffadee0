//! The supervisor's first part: from the fork to the running command.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::channel::{Message, send};
use super::end::undo;
use super::gate::Gate;
use super::launch::Order;
use super::serve::{First, Serving};
use super::setup::{Subject, setup};
use super::{Charge, Outcome, fetching, filter, ids};
use crate::config::Limits;
use crate::container::{ContainerDir, ContainerId, Launched, Scope, Stage, identify};
use crate::error::{Error, Result};
use crate::isolator::{Asked, Container};
use crate::launcher::{Account, Command, Facts, Sandbox, Streams, container_environment, envp};
use crate::proc::Proc;
use crate::protocol::state::Checkpoint;
use crate::step::step;
use crate::sys::{Clone, clone_held, last_words_to, trim_heap};

/// An exec from a dead network file system may never come back.
const EXEC_PATIENCE: Duration = Duration::from_secs(60);

/// The signals that an owner reads for the rest of its life.
pub(super) struct Signals(pub(super) SignalFd);

impl Signals {
    /// SIGCHLD and SIGUSR1 as a descriptor; both are blocked since before this process became the owner.
    pub(super) fn open() -> Result<Signals> {
        let set = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGUSR1]);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags).map(Signals).map_err(Error::system("open a signalfd"))
    }
}

/// The supervisor's whole life. Its exit code is for nobody.
pub(super) fn supervise(order: Order, kept: Vec<OwnedFd>) -> i32 {
    let mut kept = kept.into_iter();
    let Some(channel) = kept.next().map(UnixStream::from) else {
        return 70;
    };
    let streams = given(kept);
    let Order {
        id,
        record,
        launch,
        account,
        set,
        cgroups,
        unit,
        fetch,
        fetch_timeout,
        limits,
        environment,
        checkpoint,
        scope,
        retention,
        proc,
    } = order;
    let owned = unit.leave().and_then(|()| own(&id, &record, checkpoint, &scope, &proc));
    // It may be large, and this process lives long.
    drop(record);
    let (signals, dir, checkpoint) = match owned {
        Ok(owned) => owned,
        Err(e) => {
            send(&channel, &Message::Refused(e.to_string()));
            return 1;
        }
    };
    last_words_to(dir.log_path());
    let mut charge = Charge { dir, checkpoint, set, cgroups, proc };
    let job = Job { launch: &launch, account: &account, fetch: &fetch, fetch_timeout, limits: &limits, environment };
    let gate_dir = charge.dir.clone();
    let gate = Gate { channel: &channel, signals: &signals.0, dir: &gate_dir };
    match start(&mut charge, job, streams, &gate) {
        Ok(()) => {
            send(&channel, &Message::Started);
            if crate::weaken::is("stay") {
                // Not before the container has had a look at it.
                std::thread::sleep(Duration::from_secs(1));
                return 0;
            }
        }
        Err(e) => {
            let (text, executed) = (e.to_string(), e.not_executed());
            let failed = |text: String| {
                executed.map_or(Message::Failed(text.clone()), |found| Message::NotExecuted { text, found })
            };
            // Launch hears at once if undoing takes longer than its deadline; else when all is undone.
            let undone = undo(&charge, |left| send(&channel, &failed(format!("{text}; {left}"))));
            let text = undone.map_or_else(|left| format!("{text}; and {left}"), |()| text.clone());
            send(&channel, &failed(text));
            return 1;
        }
    }
    drop((launch, fetch, account, limits));
    let serving = Serving { channel: Some(channel), signals, first: First::Child };
    serving.run(charge, Outcome::default(), move || {
        scope.sweep_sometimes(retention);
        drop(scope);
        trim_heap();
    })
}

/// Lays down the container's state with this process as its owner: from here on it is its duty to leave nothing behind.
fn own(
    id: &ContainerId,
    record: &[u8],
    mut checkpoint: Checkpoint,
    scope: &Scope,
    proc: &Proc,
) -> Result<(Signals, ContainerDir, Checkpoint)> {
    nix::sys::prctl::set_child_subreaper(true).map_err(Error::system("become the container's subreaper"))?;
    let signals = Signals::open()?;
    checkpoint.owner = identify(proc, std::process::id() as i32)?;
    let dir = scope.create(id, &Launched { record, checkpoint: &checkpoint })?;
    Ok((signals, dir, checkpoint))
}

/// The standard streams, if launch gave any: behind the channel, in their order.
fn given(mut kept: impl Iterator<Item = OwnedFd>) -> Option<Streams> {
    Some(Streams { stdin: kept.next()?, stdout: kept.next()?, stderr: kept.next()? })
}

struct Job<'a> {
    launch: &'a crate::protocol::mesos::containerizer::Launch,
    account: &'a Account,
    fetch: &'a crate::fetcher::Plan,
    fetch_timeout: Duration,
    limits: &'a Limits,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
}

fn start(charge: &mut Charge, job: Job<'_>, streams: Option<Streams>, gate: &Gate<'_>) -> Result<()> {
    gate.check()?;
    let sandbox_path = charge.checkpoint.sandbox.clone().unwrap_or_default();
    let given = streams.is_some();
    let mut sandbox = step("streams", || Sandbox::open(Path::new(&sandbox_path), job.account, streams))?;
    let executor =
        job.launch.executor_info.as_ref().ok_or_else(|| Error::Refused("the record has no executor_info".into()))?;
    let resources = &executor.resources;
    let ids = charge.set.ids();
    let owner = ids::owner(ids, job.account);
    let joins = charge.cgroups.make(owner)?;
    let asked = Asked { launch: job.launch, account: job.account };
    let mut preparation =
        charge.set.prepare(&charge.dir, &Container { asked: Some(asked), ..charge.container(resources) })?;

    ids::map(&preparation, &mut sandbox, owner)?;
    filter::finish(&mut preparation, job.account)?;
    let environment = mem::take(&mut preparation.environment);
    let seen = preparation.sandbox.as_deref().map_or(OsStr::new(&sandbox_path), Path::as_os_str);
    let facts = Facts { launch: job.launch, sandbox: seen, isolators: &environment };
    let environment = container_environment(job.environment.into_iter(), &facts);
    let front = mem::take(&mut preparation.argv);
    let command = Command::new(&executor.command, &environment)?.behind(front)?;
    let envp = envp(&environment)?;
    let (namespaces, setup) = setup(preparation, Path::new(&sandbox_path), job.limits)?;
    let credentials = ids::credentials(ids, job.account);
    let what = Clone {
        namespaces,
        cgroup: joins.unified.as_ref().map(AsFd::as_fd),
        tasks: &joins.tasks,
        programs: &command.programs,
        argv: &command.argv,
        envp: &envp,
        directory: sandbox.directory.as_fd(),
        stdio: [&sandbox.streams.stdin, &sandbox.streams.stdout, &sandbox.streams.stderr].map(AsFd::as_fd),
        credentials: credentials.as_deref(),
        setup: &setup,
    };
    let mut cloned =
        step("clone", || clone_held(&what)).map_err(Error::system("clone the container's first process"))?;
    charge.checkpoint.first = Some(identify(&charge.proc, cloned.pid)?);
    charge.checkpoint.pid_namespace = (namespaces & libc::CLONE_NEWPID as u64 != 0).then_some(true);
    charge.checkpoint.init = setup.init.is_some().then_some(true);
    charge.dir.write_checkpoint(Stage::Started, &charge.checkpoint)?;
    charge.set.isolate(&charge.dir, &Container { asked: Some(asked), ..charge.container(resources) })?;
    if !job.fetch.is_empty() {
        step("fetch", || fetching::fetch(job.fetch, &sandbox, job.account, gate, job.fetch_timeout))?;
    }
    gate.check()?;
    let gone = match step("release", || cloned.release()) {
        // It failed before it was released, and the report says at what; or somebody killed it.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => true,
        Err(e) => return Err(Error::system("release the first process")(e)),
        Ok(()) => {
            gate.wait(cloned.report(), EXEC_PATIENCE, "executing the command")?;
            false
        }
    };
    let Some(failure) = cloned.failure().map_err(Error::system("hear from the first process"))? else {
        if gone {
            return Err(Error::Refused("the first process was killed before it could execute the command".into()));
        }
        return Ok(());
    };
    let subject = Subject {
        command: command.shown,
        sandbox: sandbox_path,
        account: job.account,
        outside: ids.and(owner),
        id: charge.dir.id(),
    };
    let error = subject.explain(failure, &setup);
    // Who looks for the reason in the sandbox finds it there, too. Given streams are those that launch's own error goes to.
    if !given {
        let line = format!("mesos-ecp: launch: {error}\n");
        let _ = nix::unistd::write(&sandbox.streams.stderr, line.as_bytes());
    }
    Err(error)
}
