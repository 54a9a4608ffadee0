//! Fetching command.uris in a process of its own that has become the container's user, or stays root if it is told to.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Gid, Pid, Uid};

use super::gate::Gate;
use crate::error::{Error, Result};
use crate::fetcher::{self, Plan};
use crate::launcher::{Account, Sandbox};
use crate::sys::{Credentials, Fork, default_signals, exit_now, fork};

/// A pipe holds 64 KiB, or 4 KiB where a user has many.
const LONGEST_REASON: usize = 4096;

/// Fetches all of `plan` into the sandbox.
///
/// # Errors
/// Those of the fetcher, of mesos-fetcher, and when it takes longer than `patience` (`--fetch_timeout`) or the launch is
/// called off. Whatever still runs then is a child of the supervisor and ends with the undoing.
pub fn fetch(plan: &Plan, sandbox: &Sandbox, account: &Account, gate: &Gate<'_>, patience: Duration) -> Result<()> {
    let supervisor = nix::unistd::getpid();
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Error::system("make a pipe"))?;
    let pid = match fork().map_err(Error::system("start the fetching"))? {
        Fork::Child => {
            drop(read);
            default_signals();
            let code = match fetch_here(plan, sandbox, account, supervisor, &write) {
                Ok(()) => 0,
                Err(e) => {
                    // Read only after our end, so it has to fit into the pipe.
                    let text = e.to_string();
                    let _ = File::from(write).write_all(&text.as_bytes()[..text.len().min(LONGEST_REASON)]);
                    1
                }
            };
            exit_now(code)
        }
        Fork::Parent(pid) => Pid::from_raw(pid),
    };
    drop(write);
    let pidfd = crate::sys::Pidfd::open(pid.as_raw()).map_err(Error::system("watch the fetching"))?;
    let waited = gate.wait(pidfd.as_fd(), patience, "fetching the command's URIs (--fetch_timeout)");
    // Another program may have been started and left children of its own.
    let _ = killpg(pid, Signal::SIGKILL);
    if waited.is_err() {
        let _ = kill(pid, Signal::SIGKILL);
    }
    // Not waited for after a failure: it may be one that does not die. The undoing reaps it, with a deadline.
    waited?;
    let status = nix::sys::wait::waitpid(pid, None);
    if matches!(status, Ok(nix::sys::wait::WaitStatus::Exited(_, 0))) {
        return Ok(());
    }
    let said = said(read);
    if said.is_empty() {
        let program = plan.program().map_or("the fetching process".into(), |p| p.display().to_string());
        let how = status.map_or_else(|e| e.to_string(), |s| format!("{s:?}"));
        return Err(Error::Refused(format!(
            "fetching {} failed: {program} ended with {how}; what it said is in the sandbox's stderr",
            plan.handed_over()
        )));
    }
    Err(Error::Refused(format!("fetching the command's URIs failed: {said}")))
}

fn said(pipe: OwnedFd) -> String {
    let mut text = Vec::new();
    // Everybody who could write is dead or has it closed by exec; a grandchild that escaped the group must not block us.
    let _ = nix::fcntl::fcntl(pipe.as_fd(), nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK));
    let _ = File::from(pipe).take(LONGEST_REASON as u64).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The fetching process, with what only the supervisor's account can open opened first.
fn fetch_here(plan: &Plan, sandbox: &Sandbox, account: &Account, supervisor: Pid, report: &OwnedFd) -> Result<()> {
    let means = plan.means(account.owner(), report)?;
    become_user(sandbox, account.credentials.as_ref().filter(|_| !plan.as_root()), supervisor)?;
    if let Some(text) = means.warning() {
        // The container's own output: nobody is left to hear of it otherwise.
        let _ = std::io::stderr().write_all(format!("mesos-ecp: launch: warning: {text}\n").as_bytes());
    }
    Ok(fetcher::fetch(plan, &means)?)
}

/// The fetching process on its way: a group of its own, dead when the supervisor is, the container's output as its own,
/// the user's rights only, if there is somebody to become.
fn become_user(sandbox: &Sandbox, credentials: Option<&Credentials>, supervisor: Pid) -> Result<()> {
    let failed = |step: &'static str| {
        move |e: nix::Error| Error::Child { step, subject: "the fetching process".into(), source: e.into() }
    };
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(failed("make a process group for"))?;
    nix::unistd::dup2_stdout(&sandbox.streams.stdout).map_err(failed("redirect"))?;
    nix::unistd::dup2_stderr(&sandbox.streams.stderr).map_err(failed("redirect"))?;
    nix::unistd::fchdir(&sandbox.directory).map_err(failed("change the directory of"))?;
    if let Some(to) = credentials {
        let groups: Vec<Gid> = to.groups.iter().map(|g| Gid::from_raw(*g)).collect();
        let (uid, gid) = (Uid::from_raw(to.uid), Gid::from_raw(to.gid));
        nix::unistd::setgroups(&groups).map_err(failed("set the groups of"))?;
        nix::unistd::setresgid(gid, gid, gid).map_err(failed("set the group of"))?;
        nix::unistd::setresuid(uid, uid, uid).map_err(failed("set the user of"))?;
    }
    // Changing the user clears it, so last.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("tie to the supervisor"))?;
    if nix::unistd::getppid() != supervisor {
        return Err(Error::Cancelled("the supervisor is gone"));
    }
    Ok(())
}
