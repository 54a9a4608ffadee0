//! The records and environments that real agents sent, fitted to the stand-in's directories.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::messages::edit_command;
use super::wire::Message;
use super::{Agent, Builder, Container, Invocation, Output, Profile, Task};

/// The releases whose records there are.
pub const RELEASES: [&str; 3] = ["0.22.2", "0.28.2", "1.0.4"];
/// The real agents' directories.
const WORK_DIR: &str = "/var/lib/mesos";
const LIBEXEC: &str = "/usr/libexec/mesos";

/// What one real agent sent for one kind of task.
pub struct Fixture {
    directory: PathBuf,
    /// The kind of agent it was.
    pub profile: &'static Profile,
}

/// The directory of all fixtures.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

impl Fixture {
    /// The fixture of a release, if that agent was asked for this kind of task.
    pub fn find(release: &str, name: &str) -> Option<Fixture> {
        let directory = directory().join(format!("agent-{release}")).join(name);
        directory.is_dir().then(|| Fixture { directory, profile: Profile::of_captured(release) })
    }

    /// An agent as the one that sent it, whatever the others are in this run.
    pub fn agent(&self) -> Builder {
        Agent::builder().profile(self.profile)
    }

    /// The fixtures of all releases that have this kind of task.
    pub fn all(name: &str) -> Vec<Fixture> {
        let found: Vec<_> = RELEASES.iter().filter_map(|release| Fixture::find(release, name)).collect();
        assert!(!found.is_empty(), "no fixtures for {name}");
        found
    }

    /// The n-th record of a verb, as captured.
    pub fn record(&self, verb: &str, n: usize) -> Option<Vec<u8>> {
        fs::read(self.directory.join(format!("{verb}-{n}.recordio"))).ok()
    }

    /// The launch, fitted to the agent: its directories, everything else as captured.
    pub fn task<'a>(&self, agent: &'a Agent) -> Task<'a> {
        let record = self.record("launch", 0).expect("every fixture has a launch");
        let launch = fit(agent, Message::of_record(&record));
        Task::captured(agent, launch, self.environment(agent, "launch", 0))
    }

    /// The n-th captured call of a verb about a container, fitted to the agent.
    pub fn call<'a>(
        &self,
        agent: &'a Agent,
        container: &Container<'a>,
        verb: &str,
        n: usize,
    ) -> Option<Invocation<'a>> {
        let record = self.record(verb, n)?;
        Some(container.invoke(verb).record(record).environment(&self.environment(agent, verb, n)))
    }

    /// Makes all captured calls of a verb, from the n-th on, one after the other.
    #[track_caller]
    pub fn calls<'a>(&self, agent: &'a Agent, container: &Container<'a>, verb: &str, from: usize) -> Vec<Output> {
        let calls = (from..).map_while(|n| self.call(agent, container, verb, n));
        calls.map(|call| call.run().ok()).collect()
    }

    /// The captured environment of the n-th call of a verb, fitted to the agent.
    pub fn environment(&self, agent: &Agent, verb: &str, n: usize) -> BTreeMap<String, String> {
        let path = self.directory.join(format!("{verb}-{n}.process.json"));
        let process: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let environment = process["environment"].as_object().unwrap();
        let fitted = |value: &str| {
            let value = value.replace(WORK_DIR, agent.work_dir.to_str().unwrap());
            value.replace(LIBEXEC, agent.libexec.to_str().unwrap())
        };
        environment.iter().map(|(name, value)| (name.clone(), fitted(value.as_str().unwrap()))).collect()
    }
}

/// The one record that the documentation of the external containerizer shows, for a user that must be there.
pub fn documented<'a>(agent: &'a Agent, user: &str) -> Task<'a> {
    let record = fs::read(directory().join("documented-launch.recordio")).unwrap();
    let mut launch = Message::of_record(&record);
    let captured = launch.get_text(4).unwrap();
    let work_dir = &captured[..captured.find("/slaves/").unwrap()];
    launch.replace(4, work_dir, agent.work_dir.to_str().unwrap());
    launch.set_text(5, user);
    Task::captured(agent, launch, agent.environment())
}

fn fit(agent: &Agent, mut launch: Message) -> Message {
    launch.replace(4, WORK_DIR, agent.work_dir.to_str().unwrap());
    let libexec = agent.libexec.to_str().unwrap();
    edit_command(&mut launch, |command| {
        command.replace(3, LIBEXEC, libexec);
        command.replace(7, LIBEXEC, libexec);
    });
    launch
}
