//! A stand-in for the Mesos agent: it calls the containerizer program just as the agent does.
//!
//! It shares no code with the program under test. Every wait in it has a deadline and fails the test with the name of
//! what hung; what a test leaves behind is killed and removed when its [`Agent`] is dropped.

mod builder;
pub mod call;
pub mod cgroups;
pub mod container;
mod examples;
pub mod fixture;
mod left;
pub mod messages;
mod output;
mod patience;
pub mod processes;
mod relay;
pub mod restart;
mod session;
pub mod task;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

pub use builder::Builder;
pub use call::{Call, Invocation};
pub use container::Container;
pub use output::Output;
pub use patience::{DEADLINE, patient};
use processes::Process;
use session::Inherited;
pub use task::Task;

/// The agent's own PATH.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The account of agents without root: `nobody`.
pub const NOBODY: (u32, u32) = (65534, 65534);
/// The agent's id in its cluster.
pub const SLAVE: &str = "185f5799-f445-4114-8a69-c7583d31e9d4-S0";

/// An agent with directories of its own.
pub struct Agent {
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
    /// The sessions of the calls under way.
    sessions: Mutex<BTreeSet<i32>>,
    /// The containers that the agent remembers, by id.
    known: Mutex<BTreeMap<String, container::Known>>,
    root: TempDir,
}

impl Agent {
    /// An agent as most tests need it.
    pub fn new() -> Self {
        Self::builder().build()
    }

    pub fn builder() -> Builder {
        Builder::default()
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
        self.invoke(verb).record(messages::about(container).record())
    }

    /// A shell command to launch.
    pub fn task(&self, script: &str) -> Task<'_> {
        Task::shell(self, script)
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

    /// What every verb gets, beside PATH.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let own = [
            ("LIBPROCESS_IP", "127.0.0.1".to_owned()),
            ("LIBPROCESS_PORT", "5051".to_owned()),
            ("MESOS_LIBEXEC_DIRECTORY", self.libexec.display().to_string()),
            ("MESOS_WORK_DIRECTORY", self.work_dir.display().to_string()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        // From 0.23 on, what is in the agent's environment wins.
        own.chain(self.extra_environment.clone()).collect()
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

    /// Makes a `mesos-fetcher` that does this in the sandbox, in whichever release's way it was told where that is.
    pub fn fetcher(&self, script: &str) {
        let find = r#"
            info=$(printf '%s' "$MESOS_FETCHER_INFO" |
                sed -n 's/.*"\(sandbox\|work\)_directory" *: *"\([^"]*\)".*/\2/p')
            cd "${info:-$MESOS_WORK_DIRECTORY}" || exit 1
            set -e"#;
        self.helper("mesos-fetcher", &format!("{find}\n{script}"));
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

    /// The program's processes that look after containers: all of its processes that belong to no call under way.
    pub fn supervisors(&self) -> Vec<Process> {
        let runtime_dir = self.runtime_dir.to_str().unwrap();
        let variable = format!("MESOS_ECP_RUNTIME_DIR={runtime_dir}");
        let mut all = Process::all();
        let sessions = self.sessions.lock().unwrap().clone();
        all.retain(|process| {
            process.name == self.own_name()
                && !sessions.contains(&process.session)
                && (process.command_line().contains(runtime_dir) || process.environment().contains(&variable))
        });
        all
    }

    /// Kills what looks after the containers, and waits until it is gone. There must be something to kill.
    #[track_caller]
    pub fn kill_supervisors(&self) {
        let supervisors = self.supervisors();
        assert!(!supervisors.is_empty(), "nobody looks after the container");
        supervisors.iter().for_each(|process| processes::signal(process.pid, Signal::SIGKILL));
        eventually("the killed supervisor is gone", || {
            supervisors.iter().all(|process| !Process::is_running(process.pid))
        });
    }

    /// The names in all of the program's `live` directories.
    pub fn live(&self) -> Vec<String> {
        let below = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let live = below(self.runtime_dir.clone()).flat_map(below).flat_map(|boot| below(boot.join("live")));
        live.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    /// The state directory of a live container.
    pub fn state(&self, id: &str) -> Option<PathBuf> {
        let below = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let boots = below(self.runtime_dir.clone()).flat_map(below);
        boots.map(|boot| boot.join("live").join(id)).find(|state| state.is_dir())
    }

    /// What the log of a live container says.
    pub fn log(&self, id: &str) -> String {
        self.state(id).and_then(|state| fs::read_to_string(state.join("log")).ok()).unwrap_or_default()
    }

    /// Fails the test unless neither processes nor live state remain. What was told to go may take a moment.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let end = Instant::now() + patient(Duration::from_secs(10));
        loop {
            let left = self.left_running();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left behind: {left:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All processes that this agent's calls have made and that still run.
    pub fn processes(&self) -> Vec<Process> {
        let sessions = self.sessions.lock().unwrap().clone();
        let mut found = processes::mentioning(self.root.path());
        found.retain(|process| !sessions.contains(&process.session));
        found
    }
}

impl Drop for Agent {
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

/// Notes that the running test could not be done here.
pub fn note_skip(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    println!("SKIPPED: {reason}");
    if let Some(file) = std::env::var_os("ECP_SKIP_FILE") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        std::io::Write::write_all(&mut file, format!("{name}: {reason}\n").as_bytes()).unwrap();
    }
}

/// Ends a test that cannot be done here, and says so.
macro_rules! skip {
    ($reason:expr) => {{
        $crate::agent::note_skip($reason);
        return;
    }};
}
pub(crate) use skip;

/// Ends a test that needs root where there is none.
macro_rules! need_root {
    () => {
        if !nix::unistd::Uid::effective().is_root() {
            $crate::agent::skip!("needs root");
        }
    };
}
pub(crate) use need_root;
