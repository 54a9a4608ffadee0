//! `mesos-ecp run`: one container in the foreground.

mod codes;
mod input;
mod limits;
mod output;
mod sandboxes;
mod signals;
mod terminal;
mod unprivileged;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::agent::processes::{self, Process};
use crate::agent::{Agent, DEADLINE, eventually, patient};

/// A call that is being put together: flags of `run`, then the command.
fn command(agent: &Agent, flags: &[&str], words: &[&str]) -> Command {
    let mut command = agent.operator();
    command.arg("run").args(flags).arg("--").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a container to its end.
#[track_caller]
fn run(agent: &Agent, flags: &[&str], words: &[&str]) -> Ended {
    Running::start(&mut command(agent, flags, words)).end()
}

/// Runs a shell script to its end.
#[track_caller]
fn script(agent: &Agent, flags: &[&str], script: &str) -> Ended {
    run(agent, flags, &["sh", "-c", script])
}

/// A call under way, killed when dropped.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// What became of a call.
#[derive(Debug)]
struct Ended {
    /// The exit code.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.spawn().unwrap();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Running { child, stdin, stdout, stderr }
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    fn signal(&self, signal: Signal) {
        processes::signal(self.pid(), signal);
    }

    /// The next line of the output.
    #[track_caller]
    fn line(&mut self) -> String {
        next_line(self.stdout.as_mut().unwrap())
    }

    /// Fails the test unless it ends in time. What of the output nobody has read and nobody reads is dropped.
    #[track_caller]
    fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let stdout = self.stdout.take().map(all_of);
        let stderr = self.stderr.take().map(all_of);
        let code = self.code();
        let text = |reader: Option<JoinHandle<Vec<u8>>>| {
            String::from_utf8_lossy(&reader.map(|r| r.join().unwrap()).unwrap_or_default()).into_owned()
        };
        Ended { code, stdout: text(stdout), stderr: text(stderr) }
    }

    /// The exit code; fails the test unless it ends in time.
    #[track_caller]
    fn code(&mut self) -> Option<i32> {
        let end = Instant::now() + patient(DEADLINE);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "run has not ended");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Fails the test unless this was the exit code; gives both streams.
    #[track_caller]
    fn with(self, code: i32) -> (String, String) {
        assert_eq!(self.code, Some(code), "{self:?}");
        (self.stdout, self.stderr)
    }

    /// Fails the test unless nothing was run: this exit code, and one line that says why.
    #[track_caller]
    fn refused(self, code: i32) -> String {
        let (stdout, stderr) = self.with(code);
        assert!(stderr.starts_with("mesos-ecp: ") && stderr.lines().count() == 1 && stdout.is_empty(), "{stderr}");
        stderr
    }
}

/// Reads all of a stream while the test does other things.
fn all_of(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    })
}

/// Reads up to the end of a line and not a byte further.
#[track_caller]
fn next_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the stream ended after {:?}", String::from_utf8_lossy(&line));
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// The sandboxes that `run` has made for this agent and that are there.
fn sandboxes(agent: &Agent) -> Vec<PathBuf> {
    let entries = fs::read_dir(agent.work_dir.join("sandboxes")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Fails the test if anything is left: processes, cgroups, records, sandboxes.
#[track_caller]
fn assert_clean(agent: &Agent) {
    agent.assert_nothing_left();
    assert_eq!(sandboxes(agent), [] as [PathBuf; 0], "sandboxes are left");
    let mut ended = Vec::new();
    files_below(&agent.runtime_dir, &mut ended);
    ended.retain(|path| path.file_name().unwrap() != ".swept");
    assert_eq!(ended, [] as [PathBuf; 0], "records are left");
}

fn files_below(path: &std::path::Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        // One that is gone by now was no directory of ours.
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            files_below(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// Waits until the launch is complete: the command may speak a moment before that, and until then its container goes with
/// `run` or its supervisor.
#[track_caller]
fn await_commit(agent: &Agent) {
    eventually("the launch is complete", || {
        let mut files = Vec::new();
        files_below(&agent.runtime_dir, &mut files);
        files.iter().any(|path| path.file_name().unwrap() == "committed")
    });
}

/// A directory of the agent's, as a sandbox to name.
fn named_sandbox(agent: &Agent) -> (PathBuf, String) {
    let path = agent.work_dir.join("named");
    fs::create_dir(&path).unwrap();
    let flag = format!("--sandbox={}", path.display());
    (path, flag)
}

/// The process id in a file that the command wrote, as soon as it is there.
#[track_caller]
fn pid_in(path: PathBuf) -> i32 {
    let read = || fs::read_to_string(&path).ok()?.strip_suffix('\n')?.trim().parse().ok();
    eventually(&format!("a process id in {}", path.display()), || read().is_some());
    read().unwrap()
}

/// Fails the test unless the process ends soon.
#[track_caller]
fn assert_ends(pid: i32) {
    eventually("the container's process is gone", || !Process::is_running(pid));
}
