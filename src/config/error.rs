//! What can be wrong with a command line or a setting.
#![forbid(unsafe_code)]

use super::file::FileError;
use super::flags::FLAGS;
use super::values::ValueError;

/// Why a command line or a setting is refused. Each message is for the operator: it names the flag or variable, the value,
/// and what would have been right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An argument that begins with a dash and is no flag.
    #[error("unknown flag {argument}{}; known are {}", did_you_mean(*.closest, "--"), known_flags())]
    UnknownFlag {
        /// The argument as given.
        argument: String,
        /// The flag of nearly the same name.
        closest: Option<&'static str>,
    },
    /// A flag that needs a value, without `=`.
    #[error("--{name} needs a value, joined by an equals sign: write --{name}={placeholder}")]
    MissingValue {
        /// The flag's name.
        name: &'static str,
        /// The kind of value.
        placeholder: &'static str,
    },
    /// `--no-FLAG` for a flag that is not boolean.
    #[error("--no-{name}: only boolean flags can be negated; write --{name}={placeholder}, or leave it out")]
    NotBoolean {
        /// The flag's name.
        name: &'static str,
        /// The kind of value.
        placeholder: &'static str,
    },
    /// `--no-FLAG=VALUE`.
    #[error("--no-{name}={value}: --no-{name} takes no value; write --no-{name} or --{name}={value}")]
    NegatedWithValue {
        /// The flag's name.
        name: &'static str,
        /// The value given.
        value: String,
    },
    /// A flag that stands twice on the command line.
    #[error("--{name} is given twice, as {first} and as {second}; give it once")]
    Twice {
        /// The flag's name.
        name: &'static str,
        /// The value given first.
        first: String,
        /// The value given second.
        second: String,
    },
    /// An environment variable with our prefix that belongs to no flag.
    #[error(
        "the environment variable {name}={value} is no setting{}; known are {}",
        did_you_mean(.closest.as_deref(), ""),
        known_variables()
    )]
    UnknownVariable {
        /// The variable's name.
        name: String,
        /// Its value.
        value: String,
        /// The variable of nearly the same name.
        closest: Option<String>,
    },
    /// The variable of a flag that only the command line sets.
    #[error(
        "the environment variable {variable}={value} is refused: it would be in force for the calls of agents, too; unset it, \
         and write {usage} on the command line where it is wanted"
    )]
    NotInEnvironment {
        /// The variable's name.
        variable: String,
        /// Its value.
        value: String,
        /// The flag to give instead.
        usage: String,
    },
    /// A value that is not of the flag's kind.
    #[error("{setting}: {reason}")]
    Invalid {
        /// The setting as the operator wrote it, `--flag=value` or `VARIABLE=value`.
        setting: String,
        /// What was expected. Part of the message already, so it is no `source` that would be printed again.
        reason: ValueError,
    },
    /// A configuration file that cannot be used.
    #[error("{path}{reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it; begins with the place in it, if there is one. Part of the message already.
        reason: FileError,
    },
    /// A task's own environment sets where containers are kept.
    #[error(
        "the task's own environment sets {variable}, which decides where containers are kept; put {usage} on the command line"
    )]
    Untrusted {
        /// The variable's name.
        variable: String,
        /// The flag to give instead.
        usage: String,
    },
    /// A duration of zero where it makes no sense.
    #[error("{setting}: must be more than zero, as {example}")]
    Zero {
        /// The setting as the operator wrote it.
        setting: String,
        /// The flag's default.
        example: &'static str,
    },
    /// An empty value on the command line.
    #[error("{setting} has no value: write --{name}={placeholder}, or leave the flag out for its default")]
    Empty {
        /// The setting as the operator wrote it.
        setting: String,
        /// The flag's name.
        name: &'static str,
        /// The kind of value.
        placeholder: &'static str,
    },
    /// A value, other than a path, that is not UTF-8.
    #[error("{setting}: not valid UTF-8, which every value but a path must be")]
    NotUtf8 {
        /// The setting, with what is not UTF-8 replaced.
        setting: String,
    },
    /// A path that does not begin with `/`.
    #[error(
        "{setting}: a relative path is refused, because the agent calls from the container's sandbox and it would be \
         looked up there; write {form}"
    )]
    RelativePath {
        /// The setting as the operator wrote it.
        setting: String,
        /// How it is to be written.
        form: String,
    },
    /// Two commas without a name between them, or a comma at an end.
    #[error("{setting}: entry {position} of the list is empty; write names with one comma between them, as {example}")]
    EmptyEntry {
        /// The setting as the operator wrote it.
        setting: String,
        /// Which entry, counted from 1.
        position: usize,
        /// The flag's default.
        example: &'static str,
    },
    /// A name that stands twice in a list.
    #[error("{setting}: {entry} stands twice in the list; write each name once")]
    DuplicateEntry {
        /// The setting as the operator wrote it.
        setting: String,
        /// The name.
        entry: String,
    },
    /// No verb on the command line.
    #[error("a verb is missing: mesos-ecp [--flag=value...] VERB, where VERB is one of {known}; see mesos-ecp help")]
    NoVerb {
        /// All verbs, for the message.
        known: String,
    },
    /// A first argument that is no verb.
    #[error("unknown verb {verb:?}{}; known are {known}", did_you_mean(*.closest, ""))]
    UnknownVerb {
        /// The argument as given.
        verb: String,
        /// The verb of nearly the same name.
        closest: Option<&'static str>,
        /// All verbs, for the message.
        known: String,
    },
    /// Something after the verb that is no flag.
    #[error("unexpected argument {argument:?} after {verb}: {verb} takes flags only, each as --flag=value")]
    ExtraArgument {
        /// The verb.
        verb: &'static str,
        /// The argument as given.
        argument: String,
    },
    /// `agent` without a number of workers.
    #[error("agent: --workers=N is missing; N worker threads carry N-1 containers: {AGENT_FORM}")]
    NoWorkers,
    /// A number of workers that agents do not accept.
    #[error("--workers={value}: a whole number from 1 to {most} is needed, as --workers=64")]
    Workers {
        /// The value given.
        value: String,
        /// The largest.
        most: u16,
    },
    /// `agent` with nothing to start.
    #[error("agent: the command is missing: {AGENT_FORM}")]
    NoCommand,
    /// Something before `--` that is no flag of `agent`.
    #[error(
        "agent: unexpected argument {argument:?}: before -- stands --workers=N only, and behind it the command with all that \
         is its own: {AGENT_FORM}"
    )]
    NotAgents {
        /// The argument as given.
        argument: String,
    },
    /// `network` with anything else than what it takes.
    #[error("network: \"{}\" is not for it: it is mesos-ecp network teardown", argument.escape_default())]
    NotNetworks {
        /// The argument as given.
        argument: String,
    },
    /// `network` with nothing to do.
    #[error("network: what is it to do? It is mesos-ecp network teardown")]
    NoNetworkOrder,
    /// `isolator-check` with nothing to check.
    #[error("isolator-check: which isolator? It is mesos-ecp isolator-check NAME [--flag=value...]")]
    NoIsolatorToCheck,
    /// `run` with nothing to run.
    #[error("run: the command is missing: {RUN_FORM}")]
    NothingToRun,
    /// Something before `--` that is no flag.
    #[error("run: unexpected argument {argument:?}: before -- stand flags only, and behind it the command: {RUN_FORM}")]
    NotRuns {
        /// The argument as given.
        argument: String,
    },
    /// A flag that neither `run` has nor all have.
    #[error("run: unknown flag {argument}{}; mesos-ecp help run has its own, and mesos-ecp help those of all", did_you_mean(*.closest, "--"))]
    UnknownRunFlag {
        /// The argument as given.
        argument: String,
        /// The flag of nearly the same name.
        closest: Option<&'static str>,
    },
    /// The form of a message for `run`, which has none.
    #[error("run: {argument}: only verbs have a message and an answer; here standard output is the command's")]
    FormatOfRun {
        /// The argument as given.
        argument: String,
    },
    /// A variable without a name or value.
    #[error("--env={value}: write --env=NAME=VALUE")]
    RunVariable {
        /// The value given.
        value: String,
    },
    /// Two flags of `run` that contradict each other.
    #[error("run: {first} and {second} do not go together: {why}")]
    NotTogether {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why not.
        why: &'static str,
    },
}

const RUN_FORM: &str = "mesos-ecp run [--flag=value...] -- COMMAND ARGUMENT...";

const AGENT_FORM: &str = "mesos-ecp agent --workers=N -- mesos-slave ARGUMENT...";

pub(super) fn did_you_mean(closest: Option<&str>, prefix: &str) -> String {
    closest.map(|name| format!(", did you mean {prefix}{name}?")).unwrap_or_default()
}

fn known_flags() -> String {
    FLAGS.iter().map(|flag| format!("--{}", flag.name)).collect::<Vec<_>>().join(", ")
}

fn known_variables() -> String {
    FLAGS.iter().filter(|flag| flag.in_environment()).map(|flag| flag.variable()).collect::<Vec<_>>().join(", ")
}
