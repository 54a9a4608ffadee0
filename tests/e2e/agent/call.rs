//! One call of the containerizer program, with the pipes, the session and the environment that the agent gives it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::output::Output;
use super::relay::Relay;
use nix::sys::signal::Signal;

use super::processes::{Process, signal};
use super::{Agent, DEADLINE, patient, processes, session};

/// How long after the end of a call something may hold its pipes: what other threads of the tests have just forked does so
/// until it becomes its program, and on a busy machine that takes a while.
const RELEASE: Duration = Duration::from_secs(10);
/// How often a call's end is looked for. (The agent's own interval is 100 ms to 1 s.)
const POLL: Duration = Duration::from_millis(5);

/// A call that is being put together.
#[must_use]
pub struct Invocation<'a> {
    pub(super) agent: &'a Agent,
    verb: String,
    record: Vec<u8>,
    sandbox: Option<PathBuf>,
    user: Option<String>,
    environment: BTreeMap<String, String>,
    flags: Vec<String>,
    end_of_input: bool,
    container: Option<String>,
}

impl<'a> Invocation<'a> {
    pub(super) fn new(agent: &'a Agent, verb: &str) -> Self {
        Self {
            agent,
            verb: verb.to_owned(),
            record: Vec::new(),
            sandbox: None,
            user: None,
            environment: agent.environment(),
            flags: agent.flags.clone(),
            end_of_input: false,
            container: None,
        }
    }

    /// Whom it is about.
    pub(super) fn of(mut self, container: &str) -> Self {
        self.container = Some(container.to_owned());
        self
    }

    /// What the call reads; without this, it gets no byte.
    pub fn record(mut self, record: impl Into<Vec<u8>>) -> Self {
        self.record = record.into();
        self
    }

    /// Where the call runs and its stderr goes, and to whom the agent gives the directory before it.
    pub fn sandbox(mut self, sandbox: impl Into<PathBuf>, user: Option<&str>) -> Self {
        self.sandbox = Some(sandbox.into());
        self.user = user.map(str::to_owned);
        self
    }

    /// Adds or replaces a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes exactly this environment (and PATH).
    pub fn environment(mut self, environment: &BTreeMap<String, String>) -> Self {
        self.environment = environment.clone();
        self
    }

    /// Adds a flag behind the agent's own.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Takes these flags only, without even `--runtime_dir`.
    pub fn only_flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self
    }

    /// Closes the input behind the record, as the real agent does not before the call has ended.
    pub fn end_of_input(mut self) -> Self {
        self.end_of_input = true;
        self
    }

    /// Starts the call and waits for its end.
    pub fn run(self) -> Output {
        self.spawn().finish()
    }

    /// Starts the call.
    pub fn spawn(self) -> Call<'a> {
        if let (Some(sandbox), Some(user)) = (&self.sandbox, &self.user) {
            self.agent.chown(sandbox, user);
        }
        let mut command = Command::new("/bin/sh");
        let path = format!("{}{} {}", self.agent.prefix, self.agent.binary.display(), self.flags.join(" "));
        // By the shell: once its account has changed, a process may not open this file before its exec.
        let number = self.agent.inherited.oom_score_adj;
        let disfavour = number.map(|number| format!("echo {number} > /proc/self/oom_score_adj || exit 99; "));
        let enter = self.agent.unit.as_ref().map(|unit| unit.enter()).unwrap_or_default();
        command.arg("-c").arg(format!("{}{enter}{path} {}", disfavour.unwrap_or_default(), self.verb));
        command.env_clear().env("PATH", super::PATH).envs(&self.environment);
        command.current_dir(self.sandbox.as_ref().unwrap_or(&self.agent.work_dir));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(if self.sandbox.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some((uid, gid)) = self.agent.account {
            command.uid(uid).gid(gid);
        }
        session::become_a_child_of_the_agent(&mut command, self.agent.inherited);
        let stderr_log = self.sandbox.as_ref().and_then(|sandbox| {
            // The real agent opens it before the program has started, and fails silently if it cannot.
            let mut options = fs::OpenOptions::new();
            options.append(true).create(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
            let file = options.open(sandbox.join("stderr")).ok()?;
            if let Some((uid, gid)) = self.agent.account {
                fchown(&file, Some(uid), Some(gid)).unwrap();
            }
            Some(file)
        });
        let started = Instant::now();
        let mut child = self.agent.sessions.begin(|| {
            let child = command.spawn().unwrap_or_else(|error| panic!("cannot start sh for {}: {error}", self.verb));
            (child.id() as i32, child)
        });
        let relay = Relay::start(&mut child, self.record, self.end_of_input, stderr_log);
        Call {
            agent: self.agent,
            verb: self.verb,
            container: self.container,
            child: Some(child),
            relay: Some(relay),
            started,
        }
    }
}

/// A call under way. Dropped before its end, it is killed.
#[must_use]
pub struct Call<'a> {
    agent: &'a Agent,
    verb: String,
    container: Option<String>,
    child: Option<Child>,
    relay: Option<Relay>,
    started: Instant,
}

impl<'a> Call<'a> {
    /// Whether the call has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().expect("the call has not been taken").try_wait().unwrap().is_none()
    }

    /// Fails the test if the call ends within this time.
    #[track_caller]
    pub fn assert_running_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert!(self.is_running(), "{} ended too early", self.verb);
            std::thread::sleep(POLL);
        }
    }

    /// Waits for the end of the call and of everything that holds its pipes.
    #[track_caller]
    pub fn finish(self) -> Output {
        self.finish_within(DEADLINE)
    }

    /// The same with a time limit of its own.
    #[track_caller]
    pub fn finish_within(mut self, limit: Duration) -> Output {
        let relay = self.relay.take().expect("the call has not been taken");
        let limit = patient(limit);
        let Some(status) = self.reap(limit) else {
            let (_, stderr) = relay.so_far();
            panic!("{} still runs after {limit:?}; stderr: {stderr}", self.verb);
        };
        let end = relay.finish(patient(RELEASE)).unwrap_or_else(|held| {
            panic!("{} has ended, but something outlives it and holds its {held}", self.verb);
        });
        // As the shell says it of a program that was killed, or that had no memory to go on with.
        let deaths = [Signal::SIGKILL, Signal::SIGABRT].map(|signal| 128 + signal as i32);
        let killed = status.code().is_none_or(|code| deaths.contains(&code)) || end.stderr.contains("out of memory");
        assert!(end.record_taken || killed, "{} ended without reading its record; stderr: {}", self.verb, end.stderr);
        // From then on the agent knows that the container has ended.
        if status.success() && matches!(self.verb.as_str(), "wait" | "destroy") {
            self.container.iter().for_each(|container| self.agent.note_ended(container));
        }
        Output {
            profile: self.agent.profile,
            verb: self.verb.clone(),
            status,
            stdout: end.stdout,
            stderr: end.stderr,
            duration: end.released.duration_since(self.started),
        }
    }

    /// Kills the call with its tree, group and session, as the agent does with `wait` after `destroy`.
    pub fn kill(mut self) {
        self.end();
    }

    /// Kills the call and nothing of what it started.
    pub fn kill_alone(mut self) {
        let shell = self.child.as_ref().expect("the call has not been taken").id() as i32;
        let end = Instant::now() + patient(Duration::from_secs(5));
        // Again, for the shell may not have started it yet.
        while self.reap(Duration::from_millis(5)).is_none() {
            for process in Process::all().iter().filter(|p| p.parent == shell) {
                signal(process.pid, Signal::SIGKILL);
            }
            assert!(Instant::now() < end, "a killed {} ends", self.verb);
        }
    }

    /// How many processes the call has open, by which it notices their end and learns how they ended.
    #[cfg(feature = "crash-points")]
    pub fn pidfds(&self) -> usize {
        let shell = self.child.as_ref().map_or(0, Child::id) as i32;
        let links =
            |process: &Process| fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
        let is_pidfd =
            |link: &fs::DirEntry| fs::read_link(link.path()).is_ok_and(|to| to.to_string_lossy().contains("pidfd"));
        let own = Process::all().into_iter().filter(|process| process.parent == shell || process.pid == shell);
        own.map(|process| links(&process).filter(is_pidfd).count()).sum()
    }

    /// What becomes of a call when the agent dies: its pipes are closed, and it goes on.
    pub fn orphan(mut self) -> Orphan<'a> {
        let relay = self.relay.take().expect("the call has not been taken");
        relay.abandon();
        Orphan { call: self }
    }

    fn reap(&mut self, limit: Duration) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                self.agent.sessions.end(child.id() as i32);
                self.child = None;
                return Some(status);
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(POLL);
        }
    }

    fn end(&mut self) {
        if let Some(child) = &self.child {
            processes::kill_tree(child.id() as i32);
            let _ = self.reap(patient(DEADLINE));
        }
        if let Some(relay) = self.relay.take() {
            relay.abandon();
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A call whose agent has died.
pub struct Orphan<'a> {
    call: Call<'a>,
}

impl Orphan<'_> {
    /// How it ended, within this time.
    #[track_caller]
    pub fn exit_code(mut self, limit: Duration) -> Option<i32> {
        let limit = patient(limit);
        let verb = self.call.verb.clone();
        let status = self.call.reap(limit);
        status.unwrap_or_else(|| panic!("the orphaned {verb} still runs after {limit:?}")).code()
    }
}
