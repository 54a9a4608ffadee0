//! The commands for operators, beside the verbs that the agent calls: their table, and how they are written.
#![forbid(unsafe_code)]

mod agent;
mod config;
mod isolator_check;
mod network;
mod run;

pub use run::ToRun;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::Invocation;
use crate::config::ConfigError;

/// What an operator can ask for. None of it is called by the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Starts an agent with more worker threads.
    Agent,
    /// Says which settings are in force.
    Config,
    /// Checks an isolator against the contract.
    IsolatorCheck,
    /// Makes the host's network what it was.
    Network,
    /// Runs one container in the foreground.
    Run,
}

/// What the help says of one command.
#[derive(Debug)]
pub struct ToolAbout {
    /// The command as written on the command line.
    pub name: &'static str,
    /// One line, without a full stop.
    pub summary: &'static str,
    /// What stands behind `mesos-ecp` and the name.
    pub arguments: &'static str,
    /// Its own flags, as written, and what each is for.
    pub flags: &'static [(&'static str, &'static str)],
    /// What it does, a paragraph each.
    pub text: &'static [&'static str],
    /// Exit codes.
    pub exits: &'static [(&'static str, &'static str)],
    /// A call from a shell.
    pub example: &'static str,
}

impl Tool {
    /// All of them.
    pub const ALL: &[Tool] = &[Tool::Agent, Tool::Config, Tool::IsolatorCheck, Tool::Network, Tool::Run];

    /// The command of this name.
    pub fn named(name: &OsStr) -> Option<Tool> {
        Tool::ALL.iter().copied().find(|tool| name == tool.about().name)
    }

    /// The exit code of a failure that has none of its own. That of `run` must not be taken for its command's.
    pub const fn failure_code(self) -> i32 {
        match self {
            Tool::Agent | Tool::Config | Tool::IsolatorCheck | Tool::Network => 1,
            Tool::Run => 125,
        }
    }

    /// The command's row of the table.
    pub const fn about(self) -> &'static ToolAbout {
        match self {
            Tool::Agent => &AGENT,
            Tool::Config => &CONFIG,
            Tool::IsolatorCheck => &isolator_check::ISOLATOR_CHECK,
            Tool::Network => &network::NETWORK,
            Tool::Run => &run::RUN,
        }
    }
}

const AGENT: ToolAbout = ToolAbout {
    name: "agent",
    summary: "Start an agent that can run more than seven containers at once",
    arguments: "--workers=N -- COMMAND [ARGUMENT...]",
    flags: &[("--workers=N", "How many worker threads the agent is to have, 1 to 1024. Required; for agent only.")],
    text: &[
        "An agent blocks one worker thread for each running container of an external containerizer, and has as many as \
         there are processors, at least eight: N of them carry N-1 containers, and with one more the agent stops answering.",
        "COMMAND becomes the agent, in a mount namespace of its own in which /sys/devices/system/cpu/online lists N \
         processors, and with LIBPROCESS_NUM_WORKER_THREADS=N for agents 1.0. The host's true number is added as cpus to \
         --resources, or to MESOS_RESOURCES where that is set and the flag is not, unless cpus is named there. Containers \
         see the host as it is, as every verb leaves that namespace first.",
        "Everything behind -- belongs to COMMAND: the agent itself, or a program such as nice that passes its arguments on \
         to it. Takes root (CAP_SYS_ADMIN).",
    ],
    exits: &[
        ("0 to 255", "The agent's own, once it was started. If it was not, standard error says why, and:"),
        ("127", "COMMAND was not found."),
        ("126", "COMMAND could not be executed."),
        ("1", "Anything else."),
    ],
    example: "mesos-ecp agent --workers=64 -- mesos-slave --master=zk://... --containerizers=external \\\n    \
              --containerizer_path=/usr/bin/mesos-ecp",
};

const CONFIG: ToolAbout = ToolAbout {
    name: "config",
    summary: "Print the settings in force and where each comes from",
    arguments: "[--flag=value...]",
    flags: &[],
    text: &[
        "Takes the flags of the verbs, mesos-ecp help has them, and goes by the same environment and configuration file. So it \
         says what a verb would go by that is called in the same way by the same account; the agent gives its verbs \
         MESOS_WORK_DIRECTORY and MESOS_LIBEXEC_DIRECTORY as well.",
        "What it prints is itself a configuration file, in TOML: a line for each flag, and behind it as a comment the command \
         line, the variable, the line of the file, or default. Flags that nothing sets are comments.",
    ],
    exits: &[
        ("0", "The settings are right, and standard output has them."),
        ("1", "One of them is not, the file cannot be used, or the isolators refuse them: standard error says why."),
    ],
    example: "mesos-ecp config --isolation=cgroups/cpu,cgroups/mem",
};

/// The command that a command line is about: its first word that is no flag, if that is one.
pub(super) fn asked(arguments: &[OsString]) -> Option<Tool> {
    let own = arguments.iter().take_while(|word| *word != "--");
    own.into_iter().find(|word| !word.as_bytes().starts_with(b"-")).and_then(|word| Tool::named(word))
}

/// Understands a command line that is about `tool`, given whole.
pub(super) fn parse(tool: Tool, arguments: Vec<OsString>) -> Result<Invocation, ConfigError> {
    match tool {
        Tool::Agent => agent::parse(arguments),
        Tool::Config => config::parse(arguments),
        Tool::IsolatorCheck => isolator_check::parse(arguments),
        Tool::Network => network::parse(arguments),
        Tool::Run => run::parse(arguments),
    }
}
