//! `launch`: returns when the container's command runs. If it fails, everything is undone: the agent then forgets the
//! container, and no wait and no destroy follow.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::container_info::put_in_force;
use super::context::Context;
use super::place::Host;
use super::refuse::{persistent_volumes, unheeded, unsupported};
use crate::cli::Verb;
use crate::config::{Config, FetchAs, Settings, Untrusted};
use crate::container::{ContainerId, STATE_VERSION};
use crate::error::{Error, Result};
use crate::fetcher::{self, Job, Uri};
use crate::launcher::account;
use crate::protocol::mesos::CommandInfo;
use crate::protocol::mesos::containerizer::Launch;
use crate::protocol::state::Checkpoint;
use crate::protocol::{decode, read_record};
use crate::supervisor::{self, Order};
use crate::view::Stayed;

/// Validates everything that can be known before anything is made, then hands over to the supervisor. `stayed`: why this
/// process still has the agent's view of the host, if it has.
pub fn run(settings: &Settings, input: &mut impl Read, stayed: Option<Stayed>) -> Result<()> {
    let record = read_record(input)?;
    let launch: Launch = decode(&record)?;
    let untrusted = untrusted(&launch);
    let derived = work_dir_of(&launch);
    let context = Context::with(Verb::Launch.name(), settings, &untrusted, derived.as_deref())?;
    let order = order(&context, record, launch, &untrusted, stayed)?;
    supervisor::launch(order, &context.config)
}

/// What the supervisor is to do for a record, given as its bytes and decoded: all that can be known is checked, and nothing
/// is made. `untrusted`: what whoever wrote the record may have set in this process's environment.
///
/// # Errors
/// Why it cannot be launched.
pub fn order(
    context: &Context,
    record: Vec<u8>,
    mut launch: Launch,
    untrusted: &Untrusted,
    stayed: Option<Stayed>,
) -> Result<Order> {
    let id = ContainerId::new(&launch.container_id.value)?;
    let by_default = put_in_force(&mut launch, context.config.filesystem.default_container_info.as_deref())?;
    unsupported(&launch, by_default, &context.config.isolation, |text| context.warn(&text))?;
    if let Some(text) = stayed.and_then(|stayed| stayed.warning()) {
        context.warn(&text);
    }
    let executor = launch
        .executor_info
        .as_ref()
        .ok_or_else(|| Error::Refused("the record has no executor_info: there is no command to run".into()))?;
    let sandbox = sandbox(&launch)?;
    if std::env::var_os("MESOS_DEFAULT_CONTAINER_IMAGE").is_some() {
        context.warn("MESOS_DEFAULT_CONTAINER_IMAGE is ignored: images are not supported yet");
    }
    let account = account(launch.user.as_deref())?;
    let host = Host::default();
    let set = host.isolators(&context.config)?;
    unheeded(executor.container.as_ref(), &set.names()).iter().for_each(|text| context.warn(text));
    persistent_volumes(&executor.resources, &set.names())?;
    let (cgroups, unit) = host.place(&id, &context.config, &set).map_err(|e| context.scope.explain(&id, e))?;
    let inherited: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let job = job(&id, &executor.command, &sandbox, account.name.clone(), &context.config, &inherited, untrusted);
    let fetch = fetcher::plan(&job, fetcher::find)?;

    let mut checkpoint = Checkpoint {
        version: STATE_VERSION,
        isolation: set.names(),
        described: set.described(),
        mark: set.starts_programs().then(mark).transpose()?,
        sandbox: Some(sandbox.to_string_lossy().into_owned()),
        user: account.name.clone(),
        meta_run: meta_run(&launch),
        isolator_dir: context.config.isolator_dir.to_str().map(str::to_owned),
        destroy_timeout_ms: Some(context.config.cgroups_destroy_timeout.as_millis() as u64),
        ..Checkpoint::default()
    };
    cgroups.note_in(&mut checkpoint)?;
    Ok(Order {
        id,
        record,
        launch,
        account,
        set,
        cgroups,
        unit,
        fetch,
        fetch_timeout: context.config.fetch_timeout,
        limits: context.config.limits.clone(),
        environment: inherited,
        checkpoint,
        scope: context.scope.clone(),
        retention: context.config.answered_retention,
        proc: context.proc.clone(),
    })
}

/// Anybody can put what is known into an environment.
fn mark() -> Result<String> {
    let mut bytes = [0; 16];
    let path = "/dev/urandom";
    File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Error::path("read", path))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a framework can put into this process's environment.
pub(super) fn untrusted(launch: &Launch) -> Untrusted {
    let executor = launch.executor_info.as_ref().and_then(|e| e.command.environment.as_ref());
    let task = launch.task_info.as_ref().and_then(|t| t.command.as_ref()).and_then(|c| c.environment.as_ref());
    let variables = executor.into_iter().chain(task).flat_map(|e| &e.variables);
    Untrusted::of(variables.map(|v| (v.name.as_str(), v.value.as_str())))
}

/// `<work_dir>/slaves/<slave id>/...` is how the agent names sandboxes.
pub(super) fn work_dir_of(launch: &Launch) -> Option<PathBuf> {
    let slave = launch.slave_id.as_ref()?;
    let (work_dir, _) = launch.directory.as_deref()?.split_once(&format!("/slaves/{}/", slave.value))?;
    work_dir.starts_with('/').then(|| PathBuf::from(work_dir))
}

fn sandbox(launch: &Launch) -> Result<PathBuf> {
    match launch.directory.as_deref() {
        Some(directory) if directory.starts_with('/') => Ok(PathBuf::from(directory)),
        Some(directory) => Err(Error::Refused(format!(
            "the record's directory \"{}\" is not an absolute path: there is no sandbox to run in",
            directory.escape_default()
        ))),
        None => Err(Error::Refused("the record has no directory: there is no sandbox to run in".into())),
    }
}

/// Where the agent keeps its own record of this run, below its work_dir. Ids that cannot be path components have none.
pub(super) fn meta_run(launch: &Launch) -> Option<String> {
    let executor = launch.executor_info.as_ref()?;
    let parts = [
        launch.slave_id.as_ref()?.value.as_str(),
        executor.framework_id.as_ref()?.value.as_str(),
        executor.executor_id.value.as_str(),
        launch.container_id.value.as_str(),
    ];
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains('/');
    let [slave, framework, executor, container] = parts;
    parts
        .iter()
        .all(plain)
        .then(|| format!("meta/slaves/{slave}/frameworks/{framework}/executors/{executor}/runs/{container}"))
}

fn job(
    id: &ContainerId,
    command: &CommandInfo,
    sandbox: &Path,
    user: Option<String>,
    config: &Config,
    inherited: &[(OsString, OsString)],
    untrusted: &Untrusted,
) -> Job {
    let uris = command.uris.iter().map(|uri| Uri {
        value: uri.value.clone(),
        executable: uri.executable(),
        extract: uri.extract(),
        cache: uri.cache,
        output_file: uri.output_file.clone(),
    });
    // Without URIs nobody looks at it.
    let trusted =
        inherited.iter().filter(|(name, value)| !command.uris.is_empty() && !untrusted.may_have_set(name, value));
    let environment: Vec<_> = trusted.cloned().collect();
    Job {
        container: id.to_string(),
        uris: uris.collect(),
        sandbox: sandbox.to_path_buf(),
        user,
        frameworks_home: config.frameworks_home.clone(),
        hadoop_home: config.hadoop_home.clone(),
        launcher_dir: config.launcher_dir.clone(),
        own: own_fetcher(config, &environment),
        environment,
        as_root: config.fetching.fetch_as == FetchAs::Root,
    }
}

fn own_fetcher(config: &Config, environment: &[(OsString, OsString)]) -> fetcher::Settings {
    let settings = &config.fetching;
    fetcher::Settings {
        connect_timeout: settings.fetcher_connect_timeout,
        stall_timeout: settings.fetcher_stall_timeout,
        size_limit: settings.fetcher_size_limit,
        cache_dir: settings
            .fetcher_cache_dir
            .clone()
            .or_else(|| fetcher::default_dir(environment, nix::unistd::geteuid().is_root())),
        cache_size: settings.fetcher_cache_size,
    }
}
