//! The messages between agent and containerizer program, built and read field by field.

use super::wire::{Message, Value};

/// `ContainerID`, `SlaveID`, `FrameworkID`, `ExecutorID`, `TaskID`: one string each.
pub fn id(value: &str) -> Message {
    Message::new().bytes(1, value)
}

/// A scalar `Resource`.
pub fn scalar(name: &str, value: f64) -> Message {
    Message::new().bytes(1, name).varint(2, 0).message(3, &Message::new().double(1, value)).bytes(6, "*")
}

/// The same without a role, as frameworks send it.
pub fn plain_scalar(name: &str, value: f64) -> Message {
    let mut resource = scalar(name, value);
    resource.remove(6);
    resource
}

/// `Wait`, `Usage`, `Destroy`: the container alone.
pub fn about(container: &str) -> Message {
    Message::new().message(1, &id(container))
}

/// `Update` with the given resources.
pub fn update(container: &str, resources: &[Message]) -> Message {
    resources.iter().fold(about(container), |message, resource| message.message(2, resource))
}

/// A `CommandInfo.URI` of nothing but an address.
pub fn uri(value: &str) -> Message {
    Message::new().bytes(1, value)
}

/// The agent's address in its cluster.
pub const SLAVE_PID: &str = "slave(1)@127.0.0.1:5051";

/// What stands in a `Launch`.
#[derive(Clone, Debug)]
pub struct Launch {
    pub container: String,
    pub executor: String,
    pub framework: String,
    pub slave: String,
    pub directory: String,
    pub user: Option<String>,
    pub checkpoint: bool,
    /// `ExecutorInfo.name`.
    pub name: String,
    pub source: String,
    /// `CommandInfo.value`.
    pub command: String,
    /// `CommandInfo.shell`, which is true where it is not said.
    pub shell: Option<bool>,
    /// Of a program, its name first.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub uris: Vec<Message>,
    pub resources: Vec<Message>,
    /// `ExecutorInfo.container`.
    pub container_info: Option<Message>,
    /// `TaskInfo`, for command tasks.
    pub task: Option<Message>,
}

impl Launch {
    pub fn message(&self) -> Message {
        let mut launch = about(&self.container);
        if let Some(task) = &self.task {
            launch = launch.message(2, task);
        }
        launch = launch.message(3, &self.executor_info()).bytes(4, &self.directory);
        if let Some(user) = &self.user {
            launch = launch.bytes(5, user);
        }
        launch.message(6, &id(&self.slave)).bytes(7, SLAVE_PID).bool(8, self.checkpoint)
    }

    fn executor_info(&self) -> Message {
        let mut info = Message::new().message(1, &id(&self.executor));
        info = self.resources.iter().fold(info, |info, resource| info.message(5, resource));
        info = info.message(7, &self.command_info()).message(8, &id(&self.framework));
        info = info.bytes(9, &self.name).bytes(10, &self.source);
        match &self.container_info {
            Some(container) => info.message(11, container),
            None => info,
        }
    }

    fn command_info(&self) -> Message {
        let mut command = self.uris.iter().fold(Message::new(), |command, uri| command.message(1, uri));
        if !self.environment.is_empty() {
            let variable = |(name, value): &(String, String)| Message::new().bytes(1, name).bytes(2, value);
            let variables = self.environment.iter().map(variable);
            command = command.message(2, &variables.fold(Message::new(), |all, variable| all.message(1, &variable)));
        }
        command = command.bytes(3, &self.command);
        command = self.shell.into_iter().fold(command, |command, shell| command.bool(6, shell));
        self.arguments.iter().fold(command, |command, argument| command.bytes(7, argument))
    }
}

/// Edits the command of a `Launch`.
pub fn edit_command(launch: &mut Message, mut edit: impl FnMut(&mut Message)) {
    launch.edit(3, |executor| executor.edit(7, &mut edit));
}

/// The fields of a Termination that the release knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Endings {
    /// Up to 0.25: `killed` and `message` are required, and a record without one of them is no answer (0.22: the task is LOST,
    /// "Abnormal executor termination").
    Killed,
    /// From 0.26: `state` and `reasons`; nothing is required.
    Reasons,
}

/// `Termination`, as `wait` answers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Termination {
    pub killed: bool,
    pub message: String,
    pub status: Option<i32>,
    pub state: Option<u64>,
    pub reasons: Vec<u64>,
    /// The reason that the agent reports for a limit, if it sees that one was enforced.
    pub reported: Option<u64>,
    /// How that agent reads it.
    pub endings: Endings,
}

/// `TASK_FAILED`.
pub const FAILED: u64 = 3;
/// `REASON_MEMORY_LIMIT`, later `REASON_CONTAINER_LIMITATION_MEMORY`.
pub const MEMORY_LIMIT: u64 = 8;

impl Termination {
    /// Reads it. One record is for all releases: a field that agents up to 0.25 require must be there whoever asks, and whether a
    /// limit was enforced must be the same for each of them.
    #[track_caller]
    pub fn of(message: &Message, endings: Endings) -> Self {
        let reported = Self::reported(message, endings).unwrap_or_else(|missing| panic!("no answer: {missing}"));
        let reasons = message.0.iter().filter(|(number, _)| *number == 5);
        let termination = Self {
            reported,
            endings,
            killed: message.get_varint(1).expect("Termination.killed is required by agents up to 0.25") != 0,
            message: message.get_text(2).expect("Termination.message is required by agents up to 0.25"),
            status: message.get_varint(3).map(|status| {
                assert_eq!(status as i32 as i64 as u64, status, "an int32 is extended with its sign");
                status as i32
            }),
            state: message.get_varint(4),
            reasons: reasons
                .map(|(_, value)| match value {
                    Value::Varint(reason) => *reason,
                    other => panic!("a reason is a varint, not {other:?}"),
                })
                .collect(),
        };
        for others in [Endings::Killed, Endings::Reasons] {
            let seen =
                Self::reported(message, others).unwrap_or_else(|missing| panic!("no answer to others: {missing}"));
            assert_eq!(seen.is_some(), reported.is_some(), "{termination:?} means something else to others");
        }
        termination
    }

    /// What a release makes of it, by the fields that it knows: the reason it reports for a limit, or why this is no answer.
    pub fn reported(message: &Message, endings: Endings) -> Result<Option<u64>, &'static str> {
        match endings {
            Endings::Killed => {
                message.get(2).ok_or("message is missing")?;
                let killed = message.get_varint(1).ok_or("killed is missing")? != 0;
                // Whatever the limit was.
                Ok(killed.then_some(MEMORY_LIMIT))
            }
            Endings::Reasons => match message.get_varint(4) {
                None => Ok(None),
                // It would be the task's state as it stands.
                Some(state) if state != FAILED => Err("a state that is not TASK_FAILED"),
                Some(_) => message.get_varint(5).map(Some).ok_or("a state without a reason"),
            },
        }
    }

    /// Fails the test unless this is the end of a container that no limit was enforced on, with this raw status.
    #[track_caller]
    pub fn assert_status(&self, status: i32) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!((self.killed, self.state, self.reasons.len()), (false, None, 0), "{self:?}");
        assert_eq!(self.message, "Executor terminated");
    }

    /// Fails the test unless this is the end of a container that this limit was enforced on, and the agent will say so: those up to
    /// 0.25 call every limit that of memory.
    #[track_caller]
    pub fn assert_limit(&self, reason: u64) {
        assert_eq!((self.killed, self.state, self.reasons.as_slice()), (true, Some(FAILED), &[reason][..]), "{self:?}");
        let reported = if self.endings == Endings::Killed { MEMORY_LIMIT } else { reason };
        assert_eq!(self.reported, Some(reported), "{self:?}");
    }

    /// Fails the test unless this says that nobody knows how the container ended.
    #[track_caller]
    pub fn assert_unknown(&self) {
        assert_eq!((self.killed, self.status, self.state), (false, None, None), "{self:?}");
        assert!(!self.message.is_empty(), "an end without a status needs a message");
    }
}

/// `ResourceStatistics`, as `usage` answers it; read on by field number through `message`.
#[derive(Clone, Debug)]
pub struct Statistics {
    pub timestamp: f64,
    pub message: Message,
}

impl Statistics {
    pub fn of(message: Message) -> Self {
        let timestamp = message.get_double(1).expect("ResourceStatistics.timestamp is required");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - timestamp).abs() < 60.0, "the timestamp {timestamp} is not near {now}");
        Self { timestamp, message }
    }

    /// Seconds in user mode and in the kernel.
    pub fn cpu_seconds(&self) -> Option<f64> {
        Some(self.message.get_double(2)? + self.message.get_double(3)?)
    }

    pub fn cpus_limit(&self) -> Option<f64> {
        self.message.get_double(4)
    }

    pub fn mem_rss_bytes(&self) -> Option<u64> {
        self.message.get_varint(5)
    }

    pub fn mem_limit_bytes(&self) -> Option<u64> {
        self.message.get_varint(6)
    }

    /// Fails the test if the timestamp is all there is.
    #[track_caller]
    pub fn assert_measured(&self) {
        assert!(self.message.0.len() > 1, "no more than a timestamp: {:?}", self.message);
    }

    /// Fails the test unless the timestamp is all there is.
    #[track_caller]
    pub fn assert_bare(&self) {
        assert_eq!(self.message.0.len(), 1, "more than a timestamp: {:?}", self.message);
    }
}

/// The ids in a `Containers`, sorted.
pub fn containers(message: &Message) -> Vec<String> {
    let ids = message.get_messages(1).into_iter();
    let mut ids: Vec<_> = ids.map(|id| id.get_text(1).expect("ContainerID.value is required")).collect();
    ids.sort();
    ids
}
