//! The environment of a container's first process.
//!
//! What the launch process inherits is a mixture of the agent's own environment, which must not reach tasks, and of what
//! the agent set for the executor, which must. From agent 0.23 on the former even wins where both have a name; up to 0.22
//! the task's own environment lies on top of both. So: facts come from the record.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::protocol::mesos::containerizer::Launch;

/// What an executor is told by the agent through MESOS_*; every other MESOS_* is a leaked
/// flag of the agent (or is set anew below).
const KEPT: [&str; 15] = [
    "MESOS_AGENT_ENDPOINT",
    "MESOS_CHECKPOINT",
    "MESOS_DEFAULT_CONTAINER_IMAGE",
    "MESOS_EXECUTOR_ID",
    "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
    "MESOS_FRAMEWORK_ID",
    "MESOS_HTTP_COMMAND_EXECUTOR",
    "MESOS_LIBEXEC_DIRECTORY",
    "MESOS_NATIVE_JAVA_LIBRARY",
    "MESOS_NATIVE_LIBRARY",
    "MESOS_RECOVERY_TIMEOUT",
    "MESOS_SLAVE_ID",
    "MESOS_SLAVE_PID",
    "MESOS_SUBSCRIPTION_BACKOFF_MAX",
    "MESOS_WORK_DIRECTORY",
];

/// The agent's own network identity. An executor that binds the agent's port dies with "Address already in use".
const DROPPED: [&str; 4] =
    ["LIBPROCESS_PORT", "LIBPROCESS_ADVERTISE_PORT", "LIBPROCESS_ADVERTISE_IP", "LIBPROCESS_NUM_WORKER_THREADS"];

/// What the record says, by which the environment is corrected.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The launch record.
    pub launch: &'a Launch,
    /// The container's sandbox as the container sees it.
    pub sandbox: &'a OsStr,
    /// What the isolators add.
    pub isolators: &'a [(OsString, OsString)],
}

/// Composes the environment, each name once. Precedence, lowest first (as in the built-in containerizer of 0.28): what the
/// agent hands down, the record's facts, the isolators', MESOS_SANDBOX and MESOS_CONTAINER_ID, CommandInfo.environment.
pub fn container_environment(
    inherited: impl Iterator<Item = (OsString, OsString)>,
    facts: &Facts<'_>,
) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<(OsString, OsString)> = inherited.filter(|(name, _)| is_kept(name)).collect();
    let mut places: HashMap<OsString, usize> =
        (0..).zip(&environment).map(|(n, (name, _))| (name.clone(), n)).collect();
    let mut set = |name: &OsStr, value: &OsStr| match places.entry(name.to_owned()) {
        Entry::Occupied(place) => environment[*place.get()].1 = value.to_owned(),
        Entry::Vacant(place) => {
            place.insert(environment.len());
            environment.push((name.to_owned(), value.to_owned()));
        }
    };
    let launch = facts.launch;
    let executor = launch.executor_info.as_ref();
    let framework = executor.and_then(|e| e.framework_id.as_ref()).map(|f| f.value.as_str());
    let checkpoint = launch.checkpoint.map(|c| if c { "1" } else { "0" });
    let from_record = [
        ("MESOS_FRAMEWORK_ID", framework),
        ("MESOS_EXECUTOR_ID", executor.map(|e| e.executor_id.value.as_str())),
        ("MESOS_SLAVE_ID", launch.slave_id.as_ref().map(|s| s.value.as_str())),
        ("MESOS_SLAVE_PID", launch.slave_pid.as_deref()),
        ("MESOS_DIRECTORY", launch.directory.as_deref()),
        ("MESOS_CHECKPOINT", checkpoint),
    ];
    for (name, value) in from_record {
        if let Some(value) = value {
            set(OsStr::new(name), OsStr::new(value));
        }
    }
    for (name, value) in facts.isolators {
        set(name, value);
    }
    set(OsStr::new("MESOS_SANDBOX"), facts.sandbox);
    set(OsStr::new("MESOS_CONTAINER_ID"), OsStr::new(&launch.container_id.value));
    for variable in executor.iter().flat_map(|e| &e.command.environment).flat_map(|e| &e.variables) {
        set(OsStr::new(&variable.name), OsStr::new(&variable.value));
    }
    environment
}

fn is_kept(name: &OsStr) -> bool {
    if DROPPED.iter().any(|dropped| name == *dropped) {
        return false;
    }
    !name.as_bytes().starts_with(b"MESOS_") || KEPT.iter().any(|kept| name == *kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::mesos::environment::Variable;
    use crate::protocol::mesos::{CommandInfo, Environment, ExecutorInfo};

    fn compose(
        inherited: &[(&str, &str)],
        command: &[(&str, &str)],
        isolators: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let variables =
            command.iter().map(|(n, v)| Variable { name: (*n).into(), value: (*v).into() }).collect::<Vec<_>>();
        let mut launch = Launch { directory: Some("/sandbox".into()), ..Launch::default() };
        launch.container_id.value = "id".into();
        launch.executor_info = Some(ExecutorInfo {
            command: CommandInfo { environment: Some(Environment { variables }), ..CommandInfo::default() },
            ..ExecutorInfo::default()
        });
        let isolators: Vec<_> = isolators.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let facts = Facts { launch: &launch, sandbox: OsStr::new("/sandbox"), isolators: &isolators };
        container_environment(inherited.iter().map(|(n, v)| ((*n).into(), (*v).into())), &facts)
            .into_iter()
            .map(|(n, v)| (n.into_string().unwrap(), v.into_string().unwrap()))
            .collect()
    }

    fn get(list: &[(String, String)], name: &str) -> Option<String> {
        let found: Vec<_> = list.iter().filter(|(n, _)| n == name).collect();
        assert!(found.len() < 2, "{name} stands twice");
        found.first().map(|(_, v)| v.clone())
    }

    #[test]
    fn the_agents_own_does_not_reach_the_task() {
        let inherited = [
            ("LIBPROCESS_PORT", "5051"),
            ("LIBPROCESS_IP", "10.0.0.1"),
            ("MESOS_MASTER", "zk"),
            ("MESOS_ECP_ISOLATION", "x"),
            ("MESOS_HTTP_COMMAND_EXECUTOR", "0"),
            ("MESOS_DIRECTORY", "/wrong"),
            ("PATH", "/bin"),
        ];
        let list = compose(&inherited, &[], &[]);
        for gone in ["LIBPROCESS_PORT", "MESOS_MASTER", "MESOS_ECP_ISOLATION"] {
            assert_eq!(get(&list, gone), None);
        }
        for (name, value) in [
            ("LIBPROCESS_IP", "10.0.0.1"),
            ("MESOS_HTTP_COMMAND_EXECUTOR", "0"),
            ("MESOS_DIRECTORY", "/sandbox"),
            ("MESOS_CONTAINER_ID", "id"),
            ("PATH", "/bin"),
        ] {
            assert_eq!(get(&list, name).as_deref(), Some(value));
        }
    }

    #[test]
    fn precedence() {
        let list = compose(
            &[("A", "agent"), ("B", "agent"), ("C", "agent")],
            &[("C", "command"), ("MESOS_SANDBOX", "command"), ("LIBPROCESS_PORT", "7")],
            &[("B", "isolator"), ("C", "isolator"), ("MESOS_SANDBOX", "isolator")],
        );
        let value = |name| get(&list, name).unwrap();
        assert_eq!([value("A"), value("B"), value("C")], ["agent", "isolator", "command"]);
        assert_eq!([value("MESOS_SANDBOX"), value("LIBPROCESS_PORT")], ["command", "7"]);
    }
}
