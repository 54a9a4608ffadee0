//! What is to be launched.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::command_task;
use super::container::{Container, Known};
use super::messages::{Launch, edit_command, plain_scalar};
use super::wire::Message;
use super::{Agent, Call, Output, new_id};

type Edit<'a> = Box<dyn Fn(&mut Message) + 'a>;

/// A launch that is being put together.
#[must_use]
pub struct Task<'a> {
    agent: &'a Agent,
    launch: Launch,
    /// Taken instead of what `launch` says: a captured record.
    captured: Option<Message>,
    edits: Vec<Edit<'a>>,
    sandbox: PathBuf,
    /// What the agent's chown is done for.
    owner: Option<String>,
    environment: Option<BTreeMap<String, String>>,
    variables: Vec<(String, String)>,
    flags: Vec<String>,
}

impl<'a> Task<'a> {
    /// A shell command as a custom executor, in the form that all releases send: what the framework said.
    pub(super) fn shell(agent: &'a Agent, script: &str) -> Self {
        let container = new_id();
        let (slave, framework) = (agent.profile.slave(), agent.profile.framework());
        let sandbox =
            agent.work_dir.join(format!("slaves/{slave}/frameworks/{framework}/executors/e2e/runs/{container}"));
        let launch = Launch {
            container,
            executor: "e2e".to_owned(),
            framework,
            slave,
            directory: sandbox.display().to_string(),
            user: Some(agent.user()),
            checkpoint: true,
            name: "An executor".to_owned(),
            source: "e2e".to_owned(),
            command: script.to_owned(),
            shell: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            uris: Vec::new(),
            resources: vec![plain_scalar("cpus", 0.6), plain_scalar("mem", 96.0)],
            container_info: None,
            task: None,
        };
        Self {
            agent,
            captured: None,
            edits: Vec::new(),
            owner: launch.user.clone(),
            launch,
            sandbox,
            environment: None,
            variables: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// A program. (0.19 does not know these fields, but hands on what a newer framework sent.)
    pub(super) fn program(agent: &'a Agent, path: &str, arguments: &[&str]) -> Self {
        let mut task = Self::shell(agent, path);
        task.launch.shell = Some(false);
        task.launch.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        task
    }

    /// A shell command as a command task, to be run by the agent's own executor.
    pub(super) fn command(agent: &'a Agent, script: &str) -> Self {
        let mut task = Self::shell(agent, "");
        command_task::wrap(agent, &mut task.launch, script);
        task
    }

    /// A captured record, already fitted to this agent.
    pub(super) fn captured(agent: &'a Agent, record: Message, environment: BTreeMap<String, String>) -> Self {
        let mut task = Self::shell(agent, "");
        let text = |message: Option<Message>| message.and_then(|message| message.get_text(1)).unwrap_or_default();
        let executor = record.get_message(3).expect("a captured launch has an executor");
        task.launch.container = text(record.get_message(1));
        task.launch.slave = text(record.get_message(6));
        task.launch.framework = text(executor.get_message(8));
        task.launch.executor = text(executor.get_message(1));
        task.launch.checkpoint = record.get_varint(8) == Some(1);
        task.sandbox = record.get_text(4).expect("a captured launch has a directory").into();
        task.owner = record.get_text(5);
        task.captured = Some(record);
        task.environment = Some(environment);
        task
    }

    /// The container's id; the sandbox keeps its name.
    pub fn id(mut self, id: &str) -> Self {
        self.launch.container = id.to_owned();
        self
    }

    /// `Launch.directory`, whatever directory the call is made in.
    pub fn directory(mut self, directory: &str) -> Self {
        self.launch.directory = directory.to_owned();
        self
    }

    /// The account to run as, which also gets the sandbox.
    pub fn user(mut self, user: &str) -> Self {
        self.launch.user = Some(user.to_owned());
        self.owner = Some(user.to_owned());
        self
    }

    /// No user, as with agents that run with `--no-switch_user`.
    pub fn no_user(mut self) -> Self {
        self.launch.user = None;
        self.owner = None;
        self
    }

    /// Adds to `CommandInfo.environment`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.launch.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a variable to the environment of the launch call.
    pub fn agent_env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn uri(mut self, uri: Message) -> Self {
        self.launch.uris.push(uri);
        self
    }

    /// Replaces the resources.
    pub fn resources(mut self, resources: Vec<Message>) -> Self {
        self.launch.resources = resources;
        self
    }

    /// Adds a flag to the launch call alone.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Changes the record at last.
    pub fn edit(mut self, edit: impl Fn(&mut Message) + 'a) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Changes the command in the record at last.
    pub fn edit_command(self, edit: impl Fn(&mut Message) + 'a) -> Self {
        self.edit(move |launch| edit_command(launch, &edit))
    }

    /// The `Launch` as it will be sent.
    pub fn message(&self) -> Message {
        let mut message = self.captured.clone().unwrap_or_else(|| self.launch.message());
        self.edits.iter().for_each(|edit| edit(&mut message));
        message
    }

    /// Who is to launch it.
    pub fn agent(&self) -> &'a Agent {
        self.agent
    }

    /// Makes the sandbox now, so that a test can put something into it.
    pub fn sandbox(&self) -> PathBuf {
        self.agent.create_dir(&self.sandbox);
        self.sandbox.clone()
    }

    /// Starts the launch.
    pub fn spawn(self) -> (Container<'a>, Call<'a>) {
        let record = self.message().record();
        self.spawn_record(record)
    }

    /// Starts the launch with these bytes as its record.
    pub fn spawn_record(self, record: Vec<u8>) -> (Container<'a>, Call<'a>) {
        let sandbox = self.sandbox();
        let run = format!(
            "meta/slaves/{}/frameworks/{}/executors/{}/runs/{}",
            self.launch.slave, self.launch.framework, self.launch.executor, self.launch.container
        );
        let is_path = !self.launch.container.is_empty()
            && !self.launch.container.starts_with('.')
            && !self.launch.container.contains(['/', '\0']);
        let meta = (self.launch.checkpoint && is_path && self.launch.container.len() < 256)
            .then(|| self.agent.work_dir.join(run));
        if let Some(meta) = &meta {
            fs::create_dir_all(meta).unwrap();
        }
        let mut call = self.agent.invoke("launch").record(record).sandbox(&sandbox, self.owner.as_deref());
        call = call.environment(&self.environment());
        for flag in &self.flags {
            call = call.flag(flag);
        }
        let known = Known { sandbox, user: self.owner, meta };
        (Container::new(self.agent, self.launch.container, known), call.spawn())
    }

    /// Launches, whatever comes of it.
    #[track_caller]
    pub fn try_launch(self) -> (Container<'a>, Output) {
        let (container, call) = self.spawn();
        (container, call.finish())
    }

    /// Launches; a failure fails the test.
    #[track_caller]
    pub fn launch(self) -> Container<'a> {
        self.launch_with_output().0
    }

    /// The same, with what the launch said.
    #[track_caller]
    pub fn launch_with_output(self) -> (Container<'a>, Output) {
        let (container, output) = self.try_launch();
        let output = output.ok();
        container.remember();
        (container, output)
    }

    /// Launches, which must fail and leave nothing behind; gives the reason.
    #[track_caller]
    pub fn refused(self) -> String {
        let agent = self.agent;
        let (_, output) = self.try_launch();
        let reason = output.refused();
        agent.assert_nothing_left();
        assert!(agent.containers().is_empty(), "a container that was not launched is listed");
        reason
    }

    /// The environment of the launch call: a captured one, or the release's.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = match &self.environment {
            Some(captured) => captured.clone(),
            None => self.agent.environment_with(self.variables_of_launch()),
        };
        environment.extend(self.variables.iter().cloned());
        environment
    }

    /// What the agent makes for this launch.
    fn variables_of_launch(&self) -> BTreeMap<String, String> {
        let facts = [
            ("MESOS_DIRECTORY", &self.launch.directory),
            ("MESOS_EXECUTOR_ID", &self.launch.executor),
            ("MESOS_FRAMEWORK_ID", &self.launch.framework),
            ("MESOS_SLAVE_ID", &self.launch.slave),
        ];
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
        let profile = self.agent.profile;
        let made = facts.chain(profile.launch_variables(self.launch.checkpoint));
        let tasks = self.launch.environment.iter().filter(|_| profile.overlays_task);
        made.chain(tasks.cloned()).collect()
    }
}
