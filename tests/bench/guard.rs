//! The process around the one that measures: it makes the directories, and removes all that is left when the other has
//! ended, in whatever way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

use crate::Options;
use crate::{cgroups, processes, rivals};

const PLACES: [&str; 2] = ["ECP_BENCH_SCRATCH", "ECP_BENCH_STATE"];

/// The directories of one run.
pub struct Places {
    /// For bundles and logs.
    pub scratch: PathBuf,
    /// For runtime directories and sandboxes.
    pub state: PathBuf,
}

impl Places {
    /// What the guard has told this process; nothing if this process is the guard.
    pub fn of_this_process() -> Option<Places> {
        let [scratch, state] = PLACES.map(std::env::var_os);
        Some(Places { scratch: scratch?.into(), state: state?.into() })
    }

    /// The cgroup below which those of all containers are, in every hierarchy.
    pub fn cgroups_root(&self) -> String {
        self.state.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where the stderr of all that is called goes.
    pub fn log(&self) -> PathBuf {
        self.scratch.join("stderr")
    }
}

/// Measures in a child and cleans up behind it.
pub fn run(options: &Options) -> Result<ExitCode> {
    // Blocked, so that they can be waited for; std unblocks them in children.
    let mut signals = SigSet::empty();
    let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    ends.into_iter().chain([Signal::SIGCHLD]).for_each(|signal| signals.add(signal));
    signals.thread_block()?;

    let directory = |below: &Path| {
        let made = tempfile::Builder::new().prefix("ecp-bench-").tempdir_in(below);
        made.with_context(|| format!("cannot make a directory in {}", below.display()))
    };
    let scratch = directory(Path::new("/tmp"))?;
    let state = directory(&options.dir)?;
    let places = [scratch.path(), state.path()];
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).envs(PLACES.into_iter().zip(places)).stdin(Stdio::null());
    let status = command.spawn().map_err(Into::into).and_then(|child| watch(child, &signals));
    rivals::delete_all(scratch.path());
    places.into_iter().for_each(end_processes);
    cgroups::remove_all(&Places { scratch: scratch.path().into(), state: state.path().into() }.cgroups_root());
    drop((scratch, state));
    Ok(ExitCode::from(status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(3)))
}

/// Waits for the child's end; a signal to this process hastens it.
fn watch(mut child: Child, signals: &SigSet) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if signals.wait()? != Signal::SIGCHLD {
            child.kill()?;
            return Ok(child.wait()?);
        }
    }
}

/// Kills every process that has to do with a directory of ours.
fn end_processes(place: &Path) {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let left = processes::mentioning(place);
        if left.is_empty() {
            return;
        }
        if Instant::now() > end {
            let named: Vec<_> = left.iter().map(|process| format!("{} {}", process.pid, process.name)).collect();
            eprintln!("bench: left behind: {named:?}");
            return;
        }
        left.iter().for_each(|process| processes::signal(process.pid, Signal::SIGKILL));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The last lines of the log, for a message.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
