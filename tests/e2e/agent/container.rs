//! A launched container and what the agent asks about it.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use super::messages::{Statistics, Termination, scalar, update};
use super::processes::Process;
use super::{Agent, Call, Invocation, Output, cgroups, eventually};

/// What the agent remembers of a container.
#[derive(Clone, Debug)]
pub struct Known {
    pub sandbox: PathBuf,
    pub user: Option<String>,
    /// Its directory among the agent's own checkpoints.
    pub meta: Option<PathBuf>,
}

/// A container as the agent sees it.
pub struct Container<'a> {
    agent: &'a Agent,
    pub id: String,
    known: Known,
}

impl<'a> Container<'a> {
    pub(super) fn new(agent: &'a Agent, id: String, known: Known) -> Self {
        Self { agent, id, known }
    }

    /// Notes that it was launched.
    pub fn remember(&self) {
        self.agent.known.lock().unwrap().insert(self.id.clone(), self.known.clone());
        self.agent.polls.iter().for_each(|polls| polls.begin(self.agent, &self.id, &self.known));
    }

    /// Notes that it has ended, as the agent does some time after `wait` has answered.
    pub fn note_end(&self) {
        self.agent.known.lock().unwrap().remove(&self.id);
        self.agent.note_ended(&self.id);
        if let Some(meta) = &self.known.meta {
            fs::write(meta.join("executor.sentinel"), "").unwrap();
        }
    }

    /// A call about this container, in its sandbox.
    pub fn invoke(&self, verb: &str) -> Invocation<'a> {
        self.agent.about(verb, &self.id).sandbox(&self.known.sandbox, self.known.user.as_deref())
    }

    pub fn spawn_wait(&self) -> Call<'a> {
        self.invoke("wait").spawn()
    }

    /// Waits for the end. The agent has not noted it yet.
    #[track_caller]
    pub fn wait(&self) -> Termination {
        self.spawn_wait().finish().termination()
    }

    /// Waits for the end and notes it: the usual course.
    #[track_caller]
    pub fn complete(&self) -> Termination {
        let termination = self.wait();
        self.note_end();
        termination
    }

    #[track_caller]
    pub fn usage(&self) -> Statistics {
        self.invoke("usage").run().statistics()
    }

    /// Changes the resources.
    #[track_caller]
    pub fn update(&self, resources: &[(&str, f64)]) -> Output {
        let figure = |name, value| if name == "cpus" { self.agent.profile.figure(value) } else { value };
        let resources: Vec<_> = resources.iter().map(|(name, value)| scalar(name, figure(*name, *value))).collect();
        self.invoke("update").record(update(&self.id, &resources).record()).run().ok()
    }

    /// Destroys it; its processes must be gone when the call has ended.
    #[track_caller]
    pub fn destroy(&self) -> Output {
        let output = self.invoke("destroy").run().ok();
        let left = self.processes();
        let named: Vec<_> = left.iter().map(|p| format!("{} {}", p.pid, p.command_line())).collect();
        assert!(left.is_empty(), "destroy has returned, but these still run: {named:?}");
        self.agent.known.lock().unwrap().remove(&self.id);
        output
    }

    /// Its cgroup in the hierarchy of a controller, named as in v1 (v2's where v1 does not have it).
    #[track_caller]
    pub fn cgroup(&self, controller: &str) -> PathBuf {
        cgroups::mount_point(controller).join(&self.agent.cgroups_root).join(&self.id)
    }

    /// A control file of its cgroup, trimmed.
    #[track_caller]
    pub fn control(&self, controller: &str, file: &str) -> String {
        let path = self.cgroup(controller).join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        text.trim().to_owned()
    }

    /// A path in the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.known.sandbox.join(name)
    }

    /// A file of the sandbox, empty if there is none.
    pub fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// The first line of a file of the sandbox, as soon as it is there.
    #[track_caller]
    pub fn line(&self, name: &str) -> String {
        eventually(&format!("a line in {name} of the sandbox"), || self.file(name).contains('\n'));
        self.file(name).lines().next().unwrap().to_owned()
    }

    /// What its log says while it is live.
    pub fn log(&self) -> String {
        self.agent.log(&self.id)
    }

    /// The process id that the task wrote into a file of the sandbox.
    #[track_caller]
    pub fn pid(&self, name: &str) -> i32 {
        self.line(name).trim().parse().unwrap()
    }

    /// Tells a task that waits for the file `go` to go on.
    pub fn go(&self) {
        let Some((uid, gid)) = self.agent.account else {
            return fs::write(self.path("go"), "").unwrap();
        };
        // What is root's an agent without root could not give away, before its next call.
        let made = self.agent.path(&format!("go-{}", self.id));
        fs::write(&made, "").unwrap();
        chown(&made, Some(uid), Some(gid)).unwrap();
        fs::rename(made, self.path("go")).unwrap();
    }

    /// Its processes: those that carry its id in their environment.
    pub fn processes(&self) -> Vec<Process> {
        let variable = format!("MESOS_CONTAINER_ID={}", self.id);
        let mut processes = self.agent.processes();
        processes.retain(|process| process.name != self.agent.own_name() && process.environment().contains(&variable));
        processes
    }

    /// The lowest process id. One that is just executing something has no environment to be known by, so it is looked for until
    /// it is found.
    #[track_caller]
    pub fn first_pid(&self) -> i32 {
        let mut first = None;
        eventually("the container has a process", || {
            first = self.processes().first().map(|process| process.pid);
            first.is_some()
        });
        first.unwrap()
    }
}

/// What a task runs to wait for [`Container::go`].
pub const AWAIT_GO: &str = "while [ ! -e go ]; do sleep 0.02; done";
