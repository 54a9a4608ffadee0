//! The program a Mesos agent calls: see `mesos-ecp help`.
#![no_main]
#![deny(unsafe_code)]

#[path = "sys/entry.rs"]
mod entry;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use anyhow::{Context, anyhow};
use mesos_ecp::agent;
use mesos_ecp::cli::{self, Invocation};
use mesos_ecp::{run as container, testing, verbs};

/// The exit code.
fn start() -> i32 {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            // Nobody may be there to read it (an agent that died): the exit code says it too.
            let _ = io::stderr().write_all(format!("mesos-ecp: {error:#}\n").as_bytes());
            let own = error.downcast_ref().map(agent::Failure::code);
            let own = own.or_else(|| error.downcast_ref().map(container::Failure::code));
            own.unwrap_or_else(|| cli::failure_code(&arguments))
        }
    }
}

fn run(arguments: &[OsString]) -> anyhow::Result<i32> {
    let invocation = match cli::parse(arguments.iter().cloned()) {
        Ok(invocation) => invocation,
        Err(error) => {
            // The agent counts a call that did not take its record as failed for another reason than the one we give.
            if let Ok(mut input) = input() {
                verbs::take_record(arguments, &mut input);
            }
            return Err(error.into());
        }
    };
    match invocation {
        Invocation::Help => say(&cli::program_help())?,
        Invocation::VerbHelp(verb) => say(&cli::verb_help(verb))?,
        Invocation::ToolHelp(tool) => say(&cli::tool_help(tool))?,
        Invocation::Version => say(&format!("{}\n", cli::version()))?,
        Invocation::Config(settings) => {
            verbs::settings_in_force(&settings, &mut output()?).map_err(|e| anyhow!("config: {e}"))?;
        }
        Invocation::IsolatorCheck(order) => {
            let passed = testing::command(&order, &mut output()?).map_err(|e| anyhow!("isolator-check: {e}"))?;
            return Ok(i32::from(!passed));
        }
        Invocation::NetworkTeardown => verbs::network_teardown().map_err(|e| anyhow!("network: {e}"))?,
        Invocation::Agent(order) => return Err(anyhow::Error::new(agent::run(order)).context("agent")),
        Invocation::Container(to_run) => {
            return container::run(to_run).map_err(|failure| anyhow::Error::new(failure).context("run"));
        }
        Invocation::Run { verb, settings } => {
            // The library's errors say their causes themselves.
            verbs::run(verb, &settings, &mut input()?, &mut output()?).map_err(|e| anyhow!("{}: {e}", verb.name()))?;
        }
    }
    Ok(0)
}

/// Unbuffered: not a byte behind the record is read.
fn input() -> anyhow::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned().context("stdin")?))
}

/// Unbuffered: an answer goes out in one write.
fn output() -> anyhow::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned().context("stdout")?))
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("stdout")
}
