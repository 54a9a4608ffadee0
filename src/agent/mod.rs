//! `mesos-ecp agent`: starts an agent that has worker threads for more than seven containers.
//!
//! An agent blocks one worker thread for each running container of an external containerizer, and has as many as there are
//! processors, at least eight. Here it sees more processors than there are, and is told how many there are for tasks.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod resources;

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::unistd::execvpe;

use crate::error::{Error, Result};
use crate::view;

/// From agent 1.0 on the number of worker threads is taken from here. Agents accept 1 to 1024.
const WORKER_THREADS: &str = "LIBPROCESS_NUM_WORKER_THREADS";
/// The most worker threads that an agent accepts.
pub const MOST_WORKERS: u16 = 1024;

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// How many worker threads the agent is to have: 1 to [`MOST_WORKERS`].
    pub workers: u16,
    /// The agent's program and its arguments.
    pub command: Vec<OsString>,
}

/// Why the agent was not started.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    code: u8,
    error: Error,
}

impl Failure {
    /// The exit code, as that of a shell: 127 for a program that is not there, 126 for one that cannot be executed, 1 for
    /// all that comes before.
    pub fn code(&self) -> i32 {
        self.code.into()
    }
}

/// Becomes the agent. Returns only if that fails; nothing is left of it then but this process's own namespace.
pub fn run(order: Order) -> Failure {
    match prepare(order) {
        Ok((program, arguments, environment)) => {
            // Nothing of this process is changed but what the order is about: not even a signal's disposition.
            let Err(errno) = execvpe(&program, &arguments, &environment);
            let code = if errno == nix::Error::ENOENT { 127 } else { 126 };
            let program = PathBuf::from(OsString::from_vec(program.into_bytes()));
            Failure { code, error: Error::path("execute", program)(errno.into()) }
        }
        Err(error) => Failure { code: 1, error },
    }
}

/// Program, arguments and environment, in the agent's own namespace.
fn prepare(order: Order) -> Result<(CString, Vec<CString>, Vec<CString>)> {
    let cpus = view::online_cpus()?;
    let (arguments, mut environment) = resources::with_cpus(order.command, std::env::vars_os().collect(), cpus)?;
    environment.retain(|(name, _)| name != WORKER_THREADS);
    environment.push((WORKER_THREADS.into(), order.workers.to_string().into()));
    let arguments = arguments.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    let program = arguments.first().cloned().ok_or_else(|| Error::Refused("there is no command".into()))?;
    let environment = environment.into_iter().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        text(name)
    });
    let environment = environment.collect::<Result<_>>()?;
    view::enter(order.workers)?;
    Ok((program, arguments, environment))
}

fn text(text: OsString) -> Result<CString> {
    CString::new(text.into_vec()).map_err(Error::system("pass on an argument"))
}
