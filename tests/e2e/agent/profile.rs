//! What differs between the agents' releases, as far as a containerizer program can tell.
//!
//! Seen on running agents 0.22.2, 0.28.2 and 1.0.4, whose records and environments are in tests/fixtures, unless something else is
//! said. No agent 0.19 was at hand: what it does is taken from the definitions of its messages and what is documented of it, and
//! where they say nothing it does as 0.22.

use std::sync::OnceLock;

use super::fetching::Fetching;
pub use super::messages::Endings;

/// One line of releases that behave alike.
#[derive(Debug)]
pub struct Profile {
    /// As in `ECP_AGENT`.
    pub name: &'static str,
    /// The release whose records and environments were captured, if any.
    pub captured: Option<&'static str>,
    /// What the ids of agents and frameworks begin with. Up to 0.22 (seen there): the date, the master's address as a number, its
    /// port and process; later a UUID. A container's id has always been a UUID.
    pub cluster: &'static str,
    /// What of `launch`'s environment not every release has, beside PATH.
    pub launch_only: &'static [(&'static str, &'static str)],
    /// Whether what the agent found in its own environment stands in the launch's too, whatever the agent would set (from 0.23):
    /// so LIBPROCESS_PORT is the agent's port there and 0 before.
    pub own_environment_wins: bool,
    /// Whether the task's environment is laid over that of the launch (up to 0.22).
    pub overlays_task: bool,
    /// Whether it asks for every container's usage once a second (0.19 to 0.22; later on demand).
    pub polls_usage: bool,
    /// How a Termination is read.
    pub endings: Endings,
    /// What `CommandInfo` of a command task's executor is.
    pub executor: Executor,
    /// An empty `labels {}` in every task_info (0.22: the first release that has the field).
    pub empty_labels: bool,
    /// Whether sums and differences of resources are those of doubles (0.22: 0.6 less 0.5 is 0.099999999999999978 cpus); 0.28 and
    /// 1.0 send 0.1.
    pub plain_sums: bool,
    /// What its `mesos-fetcher` wants to be told.
    pub fetching: Fetching,
    /// Whether an eventfd of the agent's leaks into the verbs (0.22).
    pub leaks_eventfd: bool,
}

/// How the command executor is to be started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Executor {
    /// A shell command, by its `value` alone: 0.19 has no field `shell` and no `arguments`.
    Value,
    /// The same with `shell` = true.
    Shell,
    /// The program as `value`, `shell` = false, its name and `--launcher_dir` as `arguments`.
    Program,
}

/// All of them, the oldest first.
pub static ALL: [Profile; 4] = [
    Profile {
        name: "0.19",
        captured: None,
        // As 0.22.
        cluster: "20140801-101500-16777343-5050-4711",
        launch_only: &[],
        own_environment_wins: false,
        overlays_task: true,
        polls_usage: true,
        endings: Endings::Killed,
        executor: Executor::Value,
        empty_labels: false,
        plain_sums: true,
        fetching: Fetching::Variables,
        // As 0.22.
        leaks_eventfd: true,
    },
    Profile {
        name: "0.22",
        captured: Some("0.22.2"),
        cluster: "20261120-172125-16777343-5050-15701",
        launch_only: &[],
        own_environment_wins: false,
        overlays_task: true,
        polls_usage: true,
        endings: Endings::Killed,
        executor: Executor::Shell,
        empty_labels: true,
        plain_sums: true,
        fetching: Fetching::CommandInfo,
        leaks_eventfd: true,
    },
    Profile {
        name: "0.28",
        captured: Some("0.28.2"),
        cluster: "185f5799-f445-4114-8a69-c7583d31e9d4",
        launch_only: &LATER,
        own_environment_wins: true,
        overlays_task: false,
        polls_usage: false,
        endings: Endings::Reasons,
        executor: Executor::Shell,
        empty_labels: false,
        plain_sums: false,
        fetching: Fetching::Items,
        leaks_eventfd: false,
    },
    Profile {
        name: "1.0",
        captured: Some("1.0.4"),
        cluster: "36573834-f180-45f4-89b7-d148e0752d7b",
        launch_only: &[LATER[0], LATER[1], LATER[2], ("MESOS_HTTP_COMMAND_EXECUTOR", "0")],
        own_environment_wins: true,
        overlays_task: false,
        polls_usage: false,
        endings: Endings::Reasons,
        executor: Executor::Program,
        empty_labels: false,
        plain_sums: false,
        fetching: Fetching::Items,
        leaks_eventfd: false,
    },
];

/// What 0.22 does not have yet, and 0.28 and 1.0 do.
const LATER: [(&str, &str); 3] = [
    ("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"),
    ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
    ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"),
];

impl Profile {
    /// The profile of this name.
    #[track_caller]
    pub fn named(name: &str) -> &'static Profile {
        let names: Vec<_> = ALL.iter().map(|profile| profile.name).collect();
        let found = ALL.iter().find(|profile| profile.name == name);
        found.unwrap_or_else(|| panic!("there is no profile {name:?}, but {names:?}"))
    }

    /// The profile of the release whose records were captured.
    #[track_caller]
    pub fn of_captured(release: &str) -> &'static Profile {
        let found = ALL.iter().find(|profile| profile.captured == Some(release));
        found.unwrap_or_else(|| panic!("nothing was captured of {release:?}"))
    }

    /// The one that tests run under which do not choose: `ECP_AGENT`, else 0.28.
    pub fn of_this_run() -> &'static Profile {
        static CHOSEN: OnceLock<&Profile> = OnceLock::new();
        CHOSEN.get_or_init(|| Profile::named(std::env::var("ECP_AGENT").as_deref().unwrap_or("0.28")))
    }

    /// The agent's id in its cluster.
    pub fn slave(&self) -> String {
        format!("{}-S0", self.cluster)
    }

    pub fn framework(&self) -> String {
        format!("{}-0000", self.cluster)
    }

    /// `cpus` as this release sends them when it has come to them by adding and taking away, as it does in every update.
    pub fn figure(&self, cpus: f64) -> f64 {
        if self.plain_sums { (cpus + 0.1) - 0.1 } else { cpus }
    }

    /// The whole `parts` that `cpus` are, after an update to them: those of a figure that is a little less are one fewer, for the
    /// fraction is cut off (as by the agent's own isolators).
    pub fn whole(&self, cpus: f64, parts: u64) -> u64 {
        if self.figure(cpus) < cpus { parts - 1 } else { parts }
    }

    /// What is left of `cpus` without `part` of it.
    pub fn difference(&self, cpus: f64, part: f64) -> f64 {
        let left = cpus - part;
        if self.plain_sums { left } else { (left * 1000.0).round() / 1000.0 }
    }

    /// The variables of `launch` that this release makes for a container, from which the agent's own environment differs.
    pub fn launch_variables(&self, checkpoint: bool) -> Vec<(String, String)> {
        let library = format!("/usr/local/lib/libmesos-{}.so", self.captured.unwrap_or(self.name));
        let mut variables = vec![
            // What an executor is to choose its own by.
            ("LIBPROCESS_PORT", "0"),
            ("MESOS_CHECKPOINT", if checkpoint { "1" } else { "0" }),
            ("MESOS_NATIVE_JAVA_LIBRARY", library.as_str()),
            ("MESOS_NATIVE_LIBRARY", library.as_str()),
            ("MESOS_SLAVE_PID", super::SLAVE_PID),
        ];
        if checkpoint {
            variables.push(("MESOS_RECOVERY_TIMEOUT", "15mins"));
        }
        let is_sent = |name: &str| checkpoint || name != "MESOS_SUBSCRIPTION_BACKOFF_MAX";
        variables.extend(self.launch_only.iter().filter(|(name, _)| is_sent(name)));
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
