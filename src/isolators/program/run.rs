//! One call of a program: bounded in time and in what it may write, ended with all that it started.
#![forbid(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::sys::{Pidfd, spawn_grouped};

/// No answer of a program needs to be longer.
pub(super) const LONGEST_ANSWER: usize = 1 << 20;

/// What is kept of the standard error of one call.
pub(super) const LONGEST_WORDS: usize = 16 << 10;

/// What is to be executed.
#[derive(Debug, Clone)]
pub struct Invocation<'a> {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<&'a OsStr>,
    /// Beside PATH; nothing else is in its environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// How messages call it, as `/etc/mesos-ecp/isolators/gpu prepare`.
    pub shown: String,
}

/// What came of a call.
#[derive(Debug)]
pub struct Ran {
    /// Why the call failed, if it did.
    pub answer: Result<()>,
    /// What it wrote to stdout.
    pub output: Vec<u8>,
    /// What it wrote to stderr, up to a limit.
    pub words: Vec<u8>,
}

/// Ends the program's whole process group and reaps the program, also on the error paths.
struct Group(Child);

/// How long a killed program is waited for; one that does not die is left to its parent's end.
const REAPING: Duration = Duration::from_millis(200);

impl Group {
    /// The program itself is reaped only here, so that the group's number is still ours.
    fn end(&mut self) -> Option<ExitStatus> {
        let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
        // It may have gone to another group.
        let _ = self.0.kill();
        wait_until(&mut self.0, Instant::now() + REAPING)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs the program with `input` as its stdin. When this returns, nothing of its process group runs any more. A failure is one to
/// start it, an exit code that is not 0, an answer that is too long, or that it is not done at `deadline`.
pub fn run(what: &Invocation<'_>, input: &[u8], deadline: Instant) -> Ran {
    let (mut output, mut words) = (Vec::new(), Vec::new());
    let answer = run_to_end(what, input, deadline, &mut output, &mut words);
    Ran { answer, output, words }
}

fn run_to_end(
    what: &Invocation<'_>,
    input: &[u8],
    deadline: Instant,
    output: &mut Vec<u8>,
    words: &mut Vec<u8>,
) -> Result<()> {
    let bad = |how: String| Error::Refused(format!("{} {how}", what.shown));
    let mut group = Group(spawn(what, input)?);
    let (stdout, stderr) = (group.0.stdout.take().map(OwnedFd::from), group.0.stderr.take().map(OwnedFd::from));
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
        return Err(bad("has no pipes".into()));
    };
    let (mut stdout, mut stderr) = (Pipe::new(stdout, LONGEST_ANSWER)?, Pipe::new(stderr, LONGEST_WORDS)?);
    // Of a process that was not reaped: it is there.
    let pidfd = Pidfd::open(group.0.id() as i32).map_err(Error::system("watch an isolator's program"))?;
    let mut ended = false;
    let mut late = false;
    while !ended && !late && !stdout.is_full() {
        let mut fds = vec![PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        fds.extend([&stdout, &stderr].into_iter().filter_map(Pipe::poll));
        let left = deadline.saturating_duration_since(Instant::now());
        let ready = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        ended = fds.first().and_then(PollFd::any).unwrap_or(false);
        match ready {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(e) => return Err(Error::system("wait for an isolator's answer")(e)),
        }
        late = Instant::now() >= deadline;
        stdout.drain()?;
        stderr.drain()?;
    }
    // Its helpers in the background end with it; what they have written by now counts.
    let status = group.end();
    stdout.drain()?;
    stderr.drain()?;
    let too_much = stdout.is_full();
    words.append(&mut stderr.taken);
    output.append(&mut stdout.taken);
    if too_much {
        return Err(bad(format!("answers more than {} MiB and was killed", LONGEST_ANSWER >> 20)));
    }
    if !ended {
        return Err(bad("did not end in time (--isolator_timeout) and was killed".into()));
    }
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(bad(format!("failed: {status}{}", last_line(words)))),
        None => Err(bad("ended and cannot be reaped".into())),
    }
}

/// A program that runs by itself. Whoever holds its pipes sees it end.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) pidfd: Pidfd,
}

/// Starts the program with `input` as its stdin. It is not waited for: the supervisor reaps all its children, and
/// PR_SET_PDEATHSIG ends it with the supervisor.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(what: &Invocation<'_>, input: &[u8]) -> Result<Started> {
    let mut child = spawn(what, input)?;
    let (stdout, stderr) = (child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from));
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
        return Err(Error::Refused(format!("{} has no pipes", what.shown)));
    };
    nonblocking(&stdout)?;
    nonblocking(&stderr)?;
    // Nobody reaps it before this process polls again.
    let pidfd = Pidfd::open(child.id() as i32).map_err(Error::system("watch an isolator's program"))?;
    Ok(Started { stdout, stderr, pidfd })
}

fn spawn(what: &Invocation<'_>, input: &[u8]) -> Result<Child> {
    let mut command = Command::new(&what.program);
    command.args(&what.arguments).current_dir("/");
    command.stdin(stdin(input)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The launch's environment is under a framework's influence on old agents.
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.envs(what.environment.iter().map(|(name, value)| (name, value)));
    spawn_grouped(&mut command).spawn().map_err(Error::path("run the isolator", &what.program))
}

/// A file in memory and not a pipe: of any length without anybody who writes, and read to its end.
fn stdin(input: &[u8]) -> Result<Stdio> {
    if input.is_empty() {
        return Ok(Stdio::null());
    }
    const NAME: &CStr = c"mesos-ecp isolator call";
    const FAILED: &str = "make an isolator's input";
    let mut file = File::from(memfd_create(NAME, MFdFlags::MFD_CLOEXEC).map_err(Error::system(FAILED))?);
    file.write_all(input).and_then(|()| file.rewind()).map_err(Error::system(FAILED))?;
    Ok(file.into())
}

/// The end of a pipe that a program writes into, with what came out of it. Behind the limit all is read and forgotten.
struct Pipe {
    fd: Option<File>,
    taken: Vec<u8>,
    limit: usize,
}

impl Pipe {
    fn new(fd: OwnedFd, limit: usize) -> Result<Pipe> {
        nonblocking(&fd)?;
        Ok(Pipe { fd: Some(File::from(fd)), taken: Vec::new(), limit })
    }

    fn poll(&self) -> Option<PollFd<'_>> {
        self.fd.as_ref().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN))
    }

    fn is_full(&self) -> bool {
        self.taken.len() >= self.limit
    }

    /// Takes what is there now, but no more than a pipe holds: who writes without end must not keep anybody here.
    fn drain(&mut self) -> Result<()> {
        let Some(fd) = &mut self.fd else { return Ok(()) };
        for _ in 0..READS {
            match read_some(fd, &mut self.taken, self.limit)? {
                Some(0) => {
                    self.fd = None;
                    return Ok(());
                }
                Some(_) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

const CHUNK: usize = 16 << 10;
const READS: usize = 4;

/// Reads once; what goes beyond `limit` is left out. How much there was, 0 at the end; None when there is nothing now.
pub(super) fn read_some(file: &mut File, taken: &mut Vec<u8>, limit: usize) -> Result<Option<usize>> {
    let mut chunk = [0; CHUNK];
    match file.read(&mut chunk) {
        Ok(read) => {
            let room = limit.saturating_sub(taken.len()).min(read);
            taken.extend_from_slice(&chunk[..room]);
            Ok(Some(read))
        }
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(Error::system("read what an isolator writes")(e)),
    }
}

/// For behind an error: what a program wrote last says most about why it failed.
fn last_line(words: &[u8]) -> String {
    let line = words.split(|byte| *byte == b'\n').rfind(|line| !line.trim_ascii().is_empty());
    line.map(|line| format!(": {}", line.escape_ascii())).unwrap_or_default()
}

fn nonblocking(fd: &impl AsFd) -> Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(Error::system("set up a pipe"))?;
    Ok(())
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_micros(50);
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

    fn script(body: &str, input: &[u8], patience: Duration) -> Ran {
        let what = Invocation {
            program: "/bin/sh".into(),
            arguments: ["-c", body, "sh", "call"].map(OsStr::new).to_vec(),
            environment: vec![("GIVEN", "here".into())],
            shown: "script call".into(),
        };
        run(&what, input, Instant::now() + patience)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn answers_are_passed_on() {
        assert_eq!(script("echo $1 $GIVEN $HOME; cat", b"record", LONG).output, b"call here\nrecord");
        let big = vec![7; 300_000];
        assert_eq!(script("cat", &big, LONG).output, big);
        assert_eq!(script("exec <&-; echo x", &big, LONG).output, b"x\n");
        assert_eq!(script("cat", b"", LONG).output, b"");
    }

    #[test]
    fn words_are_kept_up_to_a_limit_and_the_last_are_in_the_error() {
        let ran = script("echo one >&2; echo two >&2; echo >&2; exit 3", b"", LONG);
        assert_eq!(ran.words, b"one\ntwo\n\n");
        let error = ran.answer.unwrap_err().to_string();
        assert_eq!(error, "script call failed: exit status: 3: two");
        let ran = script("head -c 1000000 /dev/zero >&2; echo done", b"", LONG);
        assert_eq!((ran.words.len(), &ran.output[..]), (LONGEST_WORDS, &b"done\n"[..]));
    }

    #[test]
    fn failures_end_in_an_error_and_nothing_left() {
        let error = |body: &str, patience| script(body, b"", patience).answer.unwrap_err().to_string();
        assert!(error("yes", LONG).contains("more than 1 MiB"));
        assert!(error("sleep 60 & sleep 60", Duration::from_millis(300)).contains("in time"));
        assert!(error("exec >&- 2>&-; sleep 60", Duration::from_millis(300)).contains("in time"));
        assert!(error("yes >&2", Duration::from_millis(300)).contains("in time"));
        assert!(error("kill -9 $$", LONG).contains("signal: 9"));
        let missing = Invocation {
            program: "/nonexistent/x".into(),
            arguments: vec![],
            environment: vec![],
            shown: String::new(),
        };
        assert!(run(&missing, b"", Instant::now()).answer.unwrap_err().is_not_found());
    }

    #[test]
    fn what_a_helper_in_the_background_keeps_open_is_not_waited_for() {
        let begin = Instant::now();
        let ran = script("sleep 60 & echo $!", b"", LONG);
        let helper: i32 = String::from_utf8(ran.output).unwrap().trim().parse().unwrap();
        assert!(begin.elapsed() < LONG / 2);
        let gone = || std::fs::read_to_string(format!("/proc/{helper}/stat")).map_or(true, |s| s.contains(") Z"));
        while !gone() {
            assert!(begin.elapsed() < LONG);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
