//! `--on_launch` and `--on_exit`: commands of the operator's at the begin and the end of each container, as an isolator that does nothing
//! else. Last in the list unless named there: all the others have made their things when the first command runs, and still have them when the
//! second does.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use prost::Message;

use super::Settings;
use super::program::{Invocation, environment, message, run, tell};
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator};
use crate::protocol::json::from_wire;

/// Its name in `--isolation`, where it may stand to have another place.
pub(super) const NAME: &str = "hooks";

/// See the module.
pub(super) struct Hooks {
    on_launch: Option<String>,
    on_exit: Option<String>,
    timeout: Duration,
}

/// Adds the isolator to a list if there is a command.
pub(super) fn add(names: &mut Vec<String>, settings: &Settings) {
    let any = settings.hooks.on_launch.is_some() || settings.hooks.on_exit.is_some();
    if any && !names.iter().any(|name| name == NAME) {
        names.push(NAME.to_owned());
    }
}

impl Hooks {
    pub(super) fn new(settings: &Settings) -> Hooks {
        let hooks = settings.hooks.clone();
        Hooks { on_launch: hooks.on_launch, on_exit: hooks.on_exit, timeout: settings.isolator_timeout }
    }

    /// The command gets what a program isolator gets, as a line of JSON, and the most of it as variables.
    fn run(&self, hook: &'static str, command: &str, container: &Container<'_>) -> Result<()> {
        let call = message(container, b"", container.resources, &[]);
        let mut input = from_wire("mesos_ecp.isolator.Call", &call.encode_to_vec())?;
        input.push(b'\n');
        let mut environment = environment(Some(container));
        environment.push(("HOOK", hook.into()));
        environment.extend(call.pid.map(|pid| ("CONTAINER_PID", pid.to_string().into())));
        let status = container.ended.and_then(|ended| ended.status);
        environment.extend(status.map(|status| ("CONTAINER_STATUS", as_shells_do(status).to_string().into())));
        let what = Invocation {
            program: "/bin/sh".into(),
            arguments: ["-c", command, hook].map(OsStr::new).to_vec(),
            environment,
            shown: format!("--{hook}=\"{}\"", command.escape_default()),
        };
        let ran = run(&what, &input, Instant::now() + self.timeout);
        tell(Some(container), NAME, hook, &ran.words);
        // Whatever it has said, it is not asked for anything.
        ran.answer
    }
}

/// The raw wait(2) status as `$?` would have it.
fn as_shells_do(status: i32) -> i32 {
    let status = ExitStatus::from_raw(status);
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(status.into_raw())
}

impl Isolator for Hooks {
    fn name(&self) -> &str {
        NAME
    }

    fn probe(&self) -> Result<()> {
        match (&self.on_launch, &self.on_exit) {
            (None, None) => Err(Error::Refused("there is neither --on_launch nor --on_exit: leave it out".into())),
            _ => Ok(()),
        }
    }

    fn measures(&self) -> bool {
        false
    }

    /// The command for the end is that of the launch, whatever flags there will be then.
    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        Ok(self.on_exit.clone().unwrap_or_default().into_bytes())
    }

    fn isolate(&self, container: &Container<'_>, _facts: &Facts) -> Result<()> {
        self.on_launch.as_ref().map_or(Ok(()), |command| self.run("on_launch", command, container))
    }

    /// A command that fails is not tried again: nobody knows how much of it was done.
    fn cleanup(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        if let Ok(command) = std::str::from_utf8(facts)
            && !command.is_empty()
            && let Err(e) = self.run("on_exit", command, container)
        {
            tell(Some(container), NAME, "on_exit", e.to_string().as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_what_shells_make_of_it() {
        assert_eq!((as_shells_do(0), as_shells_do(3 << 8), as_shells_do(9)), (0, 3, 137));
    }
}
