//! One call of a program isolator: bounded in time and in what it may answer, ended with all it started.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::sys::{Pidfd, spawn_grouped};

/// No answer of a program needs to be longer.
const LONGEST_ANSWER: usize = 1 << 20;

/// Ends the program's whole process group and reaps the program, also on the error paths.
struct Group(Child);

/// How long a killed program is waited for; one that does not die is left to its parent's end.
const REAPING: Duration = Duration::from_millis(200);

impl Drop for Group {
    fn drop(&mut self) {
        // The program itself is reaped only here, so that the group's number is still ours.
        let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
        wait_until(&mut self.0, Instant::now() + REAPING);
    }
}

/// Runs `program call`, writes `record` to its stdin and returns what it wrote to stdout.
///
/// # Errors
/// When it cannot be started, fails, answers too much or is not done at `deadline`; nothing of it then runs any more.
pub fn run(program: &Path, call: &str, record: &[u8], deadline: Instant) -> Result<Vec<u8>> {
    let bad = |what: String| Error::Refused(format!("{} {call} {what}", program.display()));
    let mut group = Group(spawn(program, call)?);
    let (Some(stdin), Some(mut stdout)) = (group.0.stdin.take(), group.0.stdout.take()) else {
        return Err(bad("has no pipes".into()));
    };
    nonblocking(&stdin)?;
    nonblocking(&stdout)?;
    let mut to_write = record;
    let mut answer = Vec::new();
    // Dropped as soon as all is written, so that a program may read to the end.
    let mut stdin = Some(stdin);
    loop {
        if to_write.is_empty() {
            stdin = None;
        }
        let mut fds = vec![PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        fds.extend(stdin.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLOUT)));
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(0) if left.is_zero() => {
                return Err(bad("did not answer in time (--isolator_timeout) and was killed".into()));
            }
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(e) => return Err(Error::system("wait for an isolator's answer")(e)),
        }
        if let Some(pipe) = &mut stdin {
            match pipe.write(to_write) {
                Ok(n) => to_write = &to_write[n..],
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                // It need not read its input; whether it did its work, its answer and status say.
                Err(_) => to_write = &[],
            }
        }
        let mut chunk = [0; 16384];
        match stdout.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) if answer.len() + n > LONGEST_ANSWER => {
                return Err(bad("answers more than 1 MiB and was killed".into()));
            }
            Ok(n) => answer.extend_from_slice(&chunk[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) => return Err(Error::system("read an isolator's answer")(e)),
        }
    }
    if !has_ended_until(&group.0, deadline) {
        return Err(bad("closed its stdout and did not end in time (--isolator_timeout); it was killed".into()));
    }
    // Its helpers in the background end with it.
    let _ = killpg(Pid::from_raw(group.0.id() as i32), Signal::SIGKILL);
    let status = wait_until(&mut group.0, deadline).ok_or_else(|| bad("ended and cannot be reaped".into()))?;
    if !status.success() {
        return Err(bad(format!("failed: {status}")));
    }
    Ok(answer)
}

/// Starts `program watch` and returns the pipe from its stdout, which hangs up when it ends.
///
/// # Errors
/// When it cannot be started or does not take its input at once.
pub fn start_watch(program: &Path, record: &[u8]) -> Result<OwnedFd> {
    let mut child = spawn(program, "watch")?;
    if let Some(mut stdin) = child.stdin.take() {
        nonblocking(&stdin)?;
        // A record that does not fit into an empty pipe (64 KiB) would block the supervisor: the program then gets a
        // part of it, can tell so by the length, and is not watched.
        let _ = stdin.write_all(record);
    }
    // Not waited for here: the supervisor reaps all its children, and PR_SET_PDEATHSIG ends it with the supervisor.
    child.stdout.take().map(OwnedFd::from).ok_or_else(|| Error::Refused("the watch has no pipe".into()))
}

/// Reads to end-of-file, up to the longest answer.
pub fn read_bounded(fd: OwnedFd) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    File::from(fd)
        .take(LONGEST_ANSWER as u64)
        .read_to_end(&mut answer)
        .map_err(Error::system("read an isolator's answer"))?;
    Ok(answer)
}

fn spawn(program: &Path, call: &str) -> Result<Child> {
    let mut command = Command::new(program);
    command.arg(call).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // The launch's environment is under a framework's influence on old agents.
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    spawn_grouped(&mut command).spawn().map_err(Error::path("run the isolator", program))
}

fn nonblocking(fd: &impl AsFd) -> Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(Error::system("set up a pipe"))?;
    Ok(())
}

/// Whether the program ends before the deadline; it stays a zombie.
fn has_ended_until(child: &Child, deadline: Instant) -> bool {
    let Ok(pidfd) = Pidfd::open(child.id() as i32) else { return false };
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0)
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            _ if Instant::now() >= deadline => return None,
            _ => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn script(body: &str, record: &[u8], patience: Duration) -> Result<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("isolator");
        // Written by another process: a descriptor of ours open for writing, inherited by a parallel test's child,
        // would make the exec fail with ETXTBSY.
        let text = format!("#!/bin/sh\n{body}\n");
        Command::new("cp")
            .args(["/dev/stdin", path.to_str().unwrap()])
            .stdin(Stdio::piped())
            .spawn()
            .map(|mut c| {
                c.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
                c.wait().unwrap()
            })
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        run(&path, "call", record, Instant::now() + patience)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn answers_are_passed_on() {
        assert_eq!(script("echo $1; cat", b"record", LONG).unwrap(), b"call\nrecord");
        let big = vec![7; 300_000];
        assert_eq!(script("cat", &big, LONG).unwrap(), big);
        assert_eq!(script("exec <&-; echo x", &big, LONG).unwrap(), b"x\n");
    }

    #[test]
    fn failures_end_in_an_error_and_nothing_left() {
        let error = |body: &str, patience| script(body, b"", patience).unwrap_err().to_string();
        assert!(error("exit 3", LONG).contains("exit status: 3"));
        assert!(error("yes", LONG).contains("more than 1 MiB"));
        assert!(error("sleep 60 & sleep 60", Duration::from_millis(300)).contains("in time"));
        assert!(error("exec >&-; sleep 60", Duration::from_millis(300)).contains("in time"));
        assert!(run(Path::new("/nonexistent/x"), "call", b"", Instant::now()).unwrap_err().is_not_found());
    }
}
