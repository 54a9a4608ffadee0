//! A stand-in for the Mesos agent: it calls the containerizer program just as the agent does.
//!
//! It shares no code with the program under test. Every wait in it has a deadline and fails the test with the name of
//! what hung; what a test leaves behind is killed and removed when its [`Agent`] is dropped.

mod builder;
pub mod call;
pub mod cgroups;
pub mod command_task;
pub mod container;
mod examples;
pub mod fetching;
pub mod fixture;
mod left;
pub mod messages;
mod output;
mod patience;
mod polling;
pub mod processes;
pub mod profile;
mod relay;
pub mod restart;
mod seen;
mod session;
mod sessions;
mod skip;
pub mod task;
pub mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

pub use builder::Builder;
pub use call::{Call, Invocation};
pub use container::Container;
pub use messages::SLAVE_PID;
pub use output::Output;
pub use patience::{DEADLINE, patient};
use polling::Polls;
pub use profile::Profile;
use session::Inherited;
use sessions::Sessions;
pub(crate) use skip::{need_root, note_skip, skip};
pub use task::Task;

/// The agent's own PATH.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The account of agents without root: `nobody`.
pub const NOBODY: (u32, u32) = (65534, 65534);

/// An agent with directories of its own.
pub struct Agent {
    parts: Arc<Parts>,
    /// Not one of its threads, with which it does not go.
    is_the_tests: bool,
}

/// What an agent is made of.
pub struct Parts {
    pub(crate) profile: &'static Profile,
    pub(crate) work_dir: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) libexec: PathBuf,
    binary: PathBuf,
    /// What stands before the program's name in each call.
    prefix: String,
    flags: Vec<String>,
    extra_environment: BTreeMap<String, String>,
    account: Option<(u32, u32)>,
    inherited: Inherited,
    /// Below every hierarchy's mount point.
    pub(crate) cgroups_root: String,
    /// What every call is made in.
    pub(crate) unit: Option<cgroups::Unit>,
    sessions: Sessions,
    /// The containers that the agent remembers, by id.
    known: Mutex<BTreeMap<String, container::Known>>,
    polls: Option<Polls>,
    root: TempDir,
}

impl Deref for Agent {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Agent {
    /// An agent as most tests need it.
    pub fn new() -> Self {
        Self::builder().build()
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    fn another_handle(&self) -> Agent {
        Agent { parts: Arc::clone(&self.parts), is_the_tests: false }
    }

    /// Notes that a container has ended, with which its usage is asked for once more and never again.
    fn note_ended(&self, container: &str) {
        self.polls.iter().for_each(|polls| polls.end(container));
    }

    /// How often it has asked for a container's usage by itself, with an answer.
    pub fn polled(&self, id: &str) -> u32 {
        self.polls.as_ref().map_or(0, |polls| polls.answers(id))
    }

    /// The name of the program's processes.
    fn own_name(&self) -> String {
        // As much of it as the kernel keeps.
        self.binary.file_name().unwrap().to_str().unwrap().chars().take(15).collect()
    }

    /// A call without record and sandbox: add both as the verb needs.
    pub fn invoke(&self, verb: &str) -> Invocation<'_> {
        Invocation::new(self, verb)
    }

    /// The program as an operator calls it, in the agent's place: with its account, flags and environment.
    pub fn operator(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(&self.flags).env_clear().env("PATH", PATH).envs(self.environment()).current_dir(&self.work_dir);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// A call about a container that the agent has no sandbox for.
    pub fn about(&self, verb: &str, container: &str) -> Invocation<'_> {
        self.invoke(verb).record(messages::about(container).record()).of(container)
    }

    /// A shell command to launch.
    pub fn task(&self, script: &str) -> Task<'_> {
        Task::shell(self, script)
    }

    /// A shell command to launch as a command task, by the agent's own executor.
    pub fn command_task(&self, script: &str) -> Task<'_> {
        Task::command(self, script)
    }

    /// A program to launch, with its arguments, the name first.
    pub fn program(&self, path: &str, arguments: &[&str]) -> Task<'_> {
        Task::program(self, path, arguments)
    }

    /// The ids that `containers` lists, sorted.
    #[track_caller]
    pub fn containers(&self) -> Vec<String> {
        self.invoke("containers").run().containers()
    }

    /// The agent's own environment, beside PATH.
    pub fn own_environment(&self) -> BTreeMap<String, String> {
        let own = [("LIBPROCESS_IP", "127.0.0.1"), ("LIBPROCESS_PORT", "5051")];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        own.chain(self.extra_environment.clone()).collect()
    }

    /// What every verb gets, beside PATH.
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.environment_with(BTreeMap::new())
    }

    /// The same with what the agent makes for this call: which of it counts if the agent has a variable of that name itself is the
    /// release's choice.
    pub fn environment_with(&self, mut made: BTreeMap<String, String>) -> BTreeMap<String, String> {
        // A task that has such a variable too: what was not seen is taken to be as it is for the others.
        for (name, path) in [("MESOS_LIBEXEC_DIRECTORY", &self.libexec), ("MESOS_WORK_DIRECTORY", &self.work_dir)] {
            made.entry(name.to_owned()).or_insert_with(|| path.display().to_string());
        }
        let own = self.own_environment();
        let (below, above) = if self.profile.own_environment_wins { (made, own) } else { (own, made) };
        below.into_iter().chain(above).collect()
    }

    /// A file or directory of the agent's own, outside the work directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes a program in the libexec directory from a shell script.
    pub fn helper(&self, name: &str, script: &str) -> PathBuf {
        self.copy_of(name, &format!("#!/bin/sh\n{script}\n"))
    }

    /// Makes a program in the libexec directory from its whole text.
    pub fn copy_of(&self, name: &str, text: &str) -> PathBuf {
        let source = self.path(&format!("{name}.sh"));
        fs::write(&source, text).unwrap();
        let program = self.libexec.join(name);
        install(&source, &program);
        program
    }

    /// Copies a program into the libexec directory, where everybody may run it.
    pub fn copy(&self, name: &str, program: &Path) -> PathBuf {
        let copy = self.libexec.join(name);
        install(program, &copy);
        copy
    }

    /// Makes a `mesos-fetcher` that does this in the sandbox, told of it in its release's way. What it is asked for is in `$asked`.
    pub fn fetcher(&self, script: &str) {
        self.helper("mesos-fetcher", &self.profile.fetching.program(script));
    }

    /// The name of the agent's own account, which tasks run as if they name no other.
    pub fn user(&self) -> String {
        let own = nix::unistd::Uid::effective().as_raw();
        let uid = self.account.map_or(own, |(uid, _)| uid);
        nix::unistd::User::from_uid(uid.into()).unwrap().expect("the account has a name").name
    }

    /// Gives a sandbox to the task's user, as the agent does before every call.
    ///
    /// With a real agent the call fails before the program has started if this does. Here too, but for one reason: a task
    /// that runs already removed or renamed a file while chown was on its way to it, of which the program knows nothing.
    fn chown(&self, sandbox: &Path, user: &str) {
        let mut command = Command::new("chown");
        command.arg("-R").arg(user).arg(sandbox).env_clear().env("PATH", PATH).stdin(Stdio::null());
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let below = format!("'{}/", sandbox.display());
        let gone = [": No such file or directory", ": Not a directory"];
        // Of a directory that is gone while chown is in it, it does not say the name.
        let is_gone = |line: &str| {
            gone.iter().any(|gone| line.ends_with(gone)) && (line.contains(&below) || line.contains("fts_read failed"))
        };
        let only_gone = output.status.code() == Some(1) && !said.is_empty() && said.lines().all(is_gone);
        assert!(output.status.success() || only_gone, "the agent's chown failed ({}): {said}", output.status);
    }

    /// Makes a directory that belongs to the agent's account.
    fn create_dir(&self, path: &Path) {
        fs::create_dir_all(path).unwrap();
        if let Some((uid, gid)) = self.account {
            let below = path.ancestors().take_while(|ancestor| *ancestor != self.work_dir);
            below.for_each(|path| chown(path, Some(uid), Some(gid)).unwrap());
        }
    }

    /// Puts another program where the agent calls this one, as a package does: those that run go on with theirs.
    pub fn replace(&self, program: &Path) {
        assert!(self.binary.starts_with(self.root.path()), "it is not the agent's own: see Builder::replaceable");
        let new = self.binary.with_extension("new");
        install(program, &new);
        fs::rename(new, &self.binary).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if !self.is_the_tests {
            return;
        }
        let failed = self.polls.as_ref().map(Polls::finish).unwrap_or_default();
        if !std::thread::panicking() {
            assert!(failed.is_empty(), "the agent's own questions for usage were not all answered: {failed:?}");
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let end = Instant::now() + patient(Duration::from_secs(5));
        loop {
            let left = processes::mentioning(self.root.path());
            if left.is_empty() || Instant::now() > end {
                break;
            }
            left.iter().for_each(|process| processes::signal(process.pid, Signal::SIGKILL));
            std::thread::sleep(Duration::from_millis(5));
        }
        cgroups::remove_all(&self.cgroups_root);
    }
}

/// Copies a program, by a process of its own: a descriptor open for writing must not get into a fork of another test,
/// or the program could not be started ("text file busy").
fn install(source: &Path, target: &Path) {
    let status = Command::new("install").args(["-m", "755"]).arg(source).arg(target).status().unwrap();
    assert!(status.success(), "cannot copy {}", source.display());
}

/// Waits until something is true, or fails the test with its name.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = patient(DEADLINE);
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A random id in the form of a UUID.
pub fn new_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap().trim().to_owned()
}
