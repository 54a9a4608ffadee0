//! How `run` is written: flags of its own, all general ones, `--`, and the command.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Tool, ToolAbout};
use crate::cli::Invocation;
use crate::config::values::parse_bool;
use crate::config::{ConfigError, Settings, closest};

/// One container to run in the foreground, as the command line asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToRun {
    /// The general flags.
    pub settings: Settings,
    /// Resources in the agent's text form, as written.
    pub resources: Option<String>,
    /// The account; None: that of the caller.
    pub user: Option<String>,
    /// Variables for the command, name and value, in the order given.
    pub environment: Vec<(String, String)>,
    /// What to fetch, in the order given.
    pub uris: Vec<String>,
    /// Volumes, as written.
    pub volumes: Vec<String>,
    /// Remove the sandbox after the end.
    pub remove: bool,
    /// Do not stay with the container.
    pub detach: bool,
    /// Give the command our standard input.
    pub stdin: bool,
    /// A sandbox that is there already; as written, may be relative.
    pub sandbox: Option<PathBuf>,
    /// The program and its arguments; not empty.
    pub command: Vec<String>,
}

pub(super) const RUN: ToolAbout = ToolAbout {
    name: "run",
    summary: "Run one container in the foreground, without an agent",
    arguments: "[--flag=value...] -- COMMAND [ARGUMENT...]",
    flags: &[
        (
            "--resources=TEXT",
            "The container's resources in the agent's text form: 'cpus:0.5;mem:64'. Isolators make limits of them.",
        ),
        ("--user=NAME", "The account that the command runs as. Unset: the caller's."),
        ("--env=NAME=VALUE", "A variable for the command, beside those of the caller. May be given several times."),
        ("--uri=URI", "Something to fetch into the sandbox before the command starts. May be given several times."),
        (
            "--volume=HOST:CONTAINER[:ro|:rw]",
            "A directory or file of the host for the container, which needs filesystem/linux in --isolation. May be given several times.",
        ),
        ("--[no-]rm", "Remove the sandbox after the end. The default, but for --detach and --sandbox."),
        (
            "--[no-]detach",
            "Print the container's id and exit as soon as the command runs; its output goes to files in the sandbox.",
        ),
        ("--[no-]stdin", "Pass our standard input on to the command. Otherwise it has /dev/null."),
        ("--sandbox=PATH", "An existing directory to run in, which is never removed."),
    ],
    text: &[
        "Launches a container as the verbs do, with the isolators and all else that the general flags (mesos-ecp help) ask for. \
         What the command writes comes out here as it is written. COMMAND is looked up along PATH; no shell is involved.",
        "SIGINT, SIGTERM, SIGHUP and SIGQUIT end the container with all its processes. If run itself is killed by SIGKILL the \
         container goes on: the verb containers lists it, and destroy ends it.",
        "The sandbox is a new directory: sandboxes/ID below --work_dir where that is given, else below /var/lib/mesos-ecp for \
         root and $XDG_STATE_HOME/mesos-ecp (~/.local/state/mesos-ecp) for others.",
    ],
    exits: &[
        ("0 to 255", "The command's own, and:"),
        ("128+N", "The command was killed by signal N, or run got signal N and ended the container."),
        ("137", "A limit was exceeded; standard error says which."),
        ("125", "The container could not be started, or not be ended; standard error says why."),
        ("126", "COMMAND could not be executed."),
        ("127", "COMMAND was not found."),
    ],
    example: "mesos-ecp run --isolation=cgroups/cpu,cgroups/mem --resources='cpus:0.5;mem:64' -- make test",
};

/// The names of its own flags.
const OWN: [&str; 9] = ["resources", "user", "env", "uri", "volume", "rm", "detach", "stdin", "sandbox"];

pub(super) fn parse(arguments: Vec<OsString>) -> Result<Invocation, ConfigError> {
    let mut words = arguments.into_iter();
    let (mut help, mut version, mut named) = (false, false, false);
    let mut given = Given::default();
    for word in words.by_ref().take_while(|word| word != "--") {
        match word.as_bytes() {
            b"--help" | b"-h" => help = true,
            b"--version" | b"-V" => version = true,
            [b'-', ..] => given.take(&word)?,
            name if !named && name == Tool::Run.about().name.as_bytes() => named = true,
            _ => return Err(ConfigError::NotRuns { argument: word.to_string_lossy().into_owned() }),
        }
    }
    if help {
        return Ok(Invocation::ToolHelp(Tool::Run));
    }
    if version {
        return Ok(Invocation::Version);
    }
    let command = words.map(|word| text("the command", &word)).collect::<Result<Vec<_>, _>>()?;
    if command.first().is_none_or(String::is_empty) {
        return Err(ConfigError::NothingToRun);
    }
    Ok(Invocation::Container(given.together(command)?))
}

/// What stands before the command.
#[derive(Default)]
struct Given {
    to_run: ToRun,
    remove: Option<bool>,
    detach: Option<bool>,
    stdin: Option<bool>,
}

impl Given {
    /// Takes one flag, its own or a general one.
    fn take(&mut self, word: &OsStr) -> Result<(), ConfigError> {
        let bytes = word.as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(equals) => (&bytes[..equals], Some(OsStr::from_bytes(&bytes[equals + 1..]))),
            None => (bytes, None),
        };
        let name = OsStr::from_bytes(name).to_string_lossy();
        let to_run = &mut self.to_run;
        match &*name {
            "--resources" => once(&mut to_run.resources, "resources", valued("resources", "TEXT", value)?),
            "--user" => once(&mut to_run.user, "user", valued("user", "NAME", value)?),
            "--env" => {
                let value = valued("env", "NAME=VALUE", value)?;
                let variable = value.split_once('=').filter(|(name, _)| !name.is_empty());
                let (name, text) = variable.ok_or_else(|| ConfigError::RunVariable { value: value.clone() })?;
                to_run.environment.push((name.to_owned(), text.to_owned()));
                Ok(())
            }
            "--uri" => {
                to_run.uris.push(valued("uri", "URI", value)?);
                Ok(())
            }
            "--volume" => {
                to_run.volumes.push(valued("volume", "HOST:CONTAINER", value)?);
                Ok(())
            }
            "--sandbox" => {
                // A path need not be UTF-8 as a flag; whether it may be one as a sandbox is said later.
                let path = value.filter(|path| !path.is_empty()).map(PathBuf::from);
                let path = path.ok_or(ConfigError::MissingValue { name: "sandbox", placeholder: "PATH" })?;
                once(&mut to_run.sandbox, "sandbox", path)
            }
            "--rm" | "--no-rm" => switch(&mut self.remove, "rm", &name, value),
            "--detach" | "--no-detach" => switch(&mut self.detach, "detach", &name, value),
            "--stdin" | "--no-stdin" => switch(&mut self.stdin, "stdin", &name, value),
            // Whoever writes it waits for an answer that will not come.
            "--format" => Err(ConfigError::FormatOfRun { argument: word.to_string_lossy().into_owned() }),
            _ => to_run.settings.add(word).map_err(|error| match error {
                // Its own flags may have been meant, too.
                ConfigError::UnknownFlag { argument, closest: general } => {
                    let own = closest(name.trim_start_matches('-').trim_start_matches("no-"), OWN.into_iter());
                    ConfigError::UnknownRunFlag { argument, closest: own.or(general) }
                }
                other => other,
            }),
        }
    }

    /// Everything together, if it goes together.
    fn together(self, command: Vec<String>) -> Result<ToRun, ConfigError> {
        let detach = self.detach.unwrap_or_default();
        let stdin = self.stdin.unwrap_or_default();
        let apart = |first, second, why| Err(ConfigError::NotTogether { first, second, why });
        if detach && stdin {
            return apart("--detach", "--stdin", "there is nobody to pass the input on");
        }
        if detach && self.remove == Some(true) {
            return apart("--detach", "--rm", "the sandbox stays, since nobody waits for the end to remove it");
        }
        if self.to_run.sandbox.is_some() && self.remove == Some(true) {
            return apart("--sandbox", "--rm", "a directory that was there before is never removed");
        }
        Ok(ToRun { remove: self.remove.unwrap_or(!detach), detach, stdin, command, ..self.to_run })
    }
}

/// The value of a flag that needs one.
fn valued(name: &'static str, placeholder: &'static str, value: Option<&OsStr>) -> Result<String, ConfigError> {
    let value = value.ok_or(ConfigError::MissingValue { name, placeholder })?;
    if value.is_empty() {
        return Err(ConfigError::Empty { setting: format!("--{name}="), name, placeholder });
    }
    text(&format!("--{name}"), value)
}

fn text(what: &str, value: &OsStr) -> Result<String, ConfigError> {
    value
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| ConfigError::NotUtf8 { setting: format!("{what}={}", value.to_string_lossy()) })
}

/// Sets what may be set once.
fn once<T: Clone + AsRef<OsStr>>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), ConfigError> {
    let shown = |value: &T| value.as_ref().to_string_lossy().into_owned();
    match place {
        Some(first) => Err(ConfigError::Twice { name, first: shown(first), second: shown(&value) }),
        None => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// A boolean flag in one of the agent's forms: `--rm`, `--no-rm`, `--rm=false`.
fn switch(
    place: &mut Option<bool>,
    name: &'static str,
    written: &str,
    value: Option<&OsStr>,
) -> Result<(), ConfigError> {
    let negated = written.starts_with("--no-");
    let on = match value.map(OsStr::to_string_lossy) {
        Some(value) if negated => {
            return Err(ConfigError::NegatedWithValue { name, value: value.into_owned() });
        }
        Some(value) => parse_bool(&value)
            .map_err(|reason| ConfigError::Invalid { setting: format!("{written}={value}"), reason })?,
        None => !negated,
    };
    match place.replace(on) {
        Some(first) => Err(ConfigError::Twice { name, first: first.to_string(), second: on.to_string() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
