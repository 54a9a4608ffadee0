//! The program itself, for `mesos-ecp` and for whoever makes one of their own with more isolators.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::cli::{self, Invocation};
use crate::isolator::Isolator;
use crate::isolators::{Own, Settings, register};
use crate::{agent, run as container, sys, testing, verbs};

/// A containerizer program of one's own: all that `mesos-ecp` is, with further isolators.
///
/// ```no_run
/// use mesos_ecp::prelude::*;
///
/// struct Hello;
///
/// impl Isolator for Hello {
///     fn name(&self) -> &str {
///         "acme/hello"
///     }
///
///     fn prepare(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
///         Ok(Preparation { environment: vec![("HELLO".into(), "world".into())], ..Preparation::default() })
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     Ecp::builder().isolator("acme/hello", |_settings| Box::new(Hello)).run()
/// }
/// ```
///
/// The program takes the place of `mesos-ecp` in the agent's `--containerizer_path`; `--isolation=acme/hello,posix/cpu` then means
/// one's own and a built-in one. It must stay in place as long as there are containers of its: who cleans up after one has to know
/// its isolators.
///
/// `mesos-ecp-fetch` (http and https, archives) and `mesos-ecp-init` (`--pid1=init`) are looked for beside the program, in the
/// directory of its executable file, links resolved: install them there, too. Without them what needs them is refused
/// with that reason.
#[derive(Debug)]
pub enum Ecp {}

impl Ecp {
    /// Begins with the built-in isolators.
    pub fn builder() -> Builder {
        Builder { own: Vec::new() }
    }
}

/// What an [`Ecp`] is made of.
#[must_use = "nothing is done before run()"]
pub struct Builder {
    own: Vec<Own>,
}

impl Builder {
    /// Adds an isolator: its name in `--isolation`, which [`Isolator::name`] must also say, and how to make it.
    ///
    /// `GROUP/NAME`, each of ASCII letters, digits, dots, dashes and underscores; the group is best the name of who made it.
    /// `program` is no group, and the names of built-in isolators are taken. Names are written down in the state of
    /// containers: one that is changed is another isolator.
    ///
    /// `make` is called whenever a process begins to deal with a container that has this isolator, and must do nothing but put
    /// together a value: whether this host can do it is for [`Isolator::probe`].
    pub fn isolator(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Settings) -> Box<dyn Isolator> + Send + Sync + 'static,
    ) -> Builder {
        self.own.push((name.into(), Box::new(make)));
        self
    }

    /// Does what this process's arguments ask for, and returns its exit code, for `main` to return. To be called once, at the
    /// beginning of `main`, with one thread: verbs fork.
    ///
    /// A panic ends the process at once, as with `panic = "abort"`: nothing may be unwound in a forked process. What it says
    /// goes to standard error and, from a supervisor, into the log of the container's state; such a death is recovered from as any
    /// other.
    ///
    /// Names that are refused or stand twice make every call fail and say so.
    #[must_use = "the exit code is what the agent goes by"]
    pub fn run(self) -> ExitCode {
        panic::set_hook(Box::new(|panic| sys::die(&format!("mesos-ecp: {panic}"))));
        ExitCode::from(code(self.own) as u8)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.own.iter().map(|(name, _)| name)).finish()
    }
}

/// `mesos-ecp` itself: the exit code, 0 to 255. For its entry, which is not the standard library's.
#[doc(hidden)]
pub fn main_code() -> i32 {
    code(Vec::new())
}

fn code(own: Vec<Own>) -> i32 {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(&arguments, own) {
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

fn run(arguments: &[OsString], own: Vec<Own>) -> anyhow::Result<i32> {
    let registered = if own.is_empty() { Ok(()) } else { register(own).map_err(anyhow::Error::new) };
    let invocation = match registered.and_then(|()| Ok(cli::parse(arguments.iter().cloned())?)) {
        Ok(invocation) => invocation,
        Err(error) => {
            // The agent counts a call that did not take its record as failed for another reason than the one we give.
            if let Ok(mut input) = input() {
                verbs::take_record(arguments, &mut input);
            }
            return Err(error);
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
