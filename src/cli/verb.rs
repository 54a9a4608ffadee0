//! The table of verbs: the one source for the command line, the help and the manual page.
#![forbid(unsafe_code)]

/// What the agent (or an operator, by hand) can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Starts a container.
    Launch,
    /// Changes a container's resources.
    Update,
    /// Measures a container.
    Usage,
    /// Blocks until a container has ended.
    Wait,
    /// Ends a container.
    Destroy,
    /// Lists the containers.
    Containers,
    /// Takes over or tidies up what an earlier agent left.
    Recover,
}

/// What the help says of one verb.
#[derive(Debug)]
pub struct About {
    /// The verb as written on the command line.
    pub name: &'static str,
    /// One line, without a full stop.
    pub summary: &'static str,
    /// The message on standard input, by its full name; absent: nothing is read, not even to its end.
    pub reads: Option<&'static str>,
    /// The message on standard output, by its full name; absent: nothing is written.
    pub writes: Option<&'static str>,
    /// When the exit code is 0.
    pub success: &'static str,
    /// When it is not, and what the agent makes of that.
    pub failure: &'static str,
    /// A call from a shell.
    pub example: &'static str,
}

impl Verb {
    /// All verbs, in the order of a container's life.
    pub const ALL: &[Verb] =
        &[Verb::Launch, Verb::Update, Verb::Usage, Verb::Wait, Verb::Destroy, Verb::Containers, Verb::Recover];

    /// The verb as written on the command line.
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// One line that says what it does.
    pub const fn summary(self) -> &'static str {
        self.about().summary
    }

    /// The verb of this name.
    pub fn named(name: &str) -> Option<Verb> {
        Verb::ALL.iter().copied().find(|verb| verb.name() == name)
    }

    /// The verb's row of the table.
    pub const fn about(self) -> &'static About {
        match self {
            Verb::Launch => &LAUNCH,
            Verb::Update => &UPDATE,
            Verb::Usage => &USAGE,
            Verb::Wait => &WAIT,
            Verb::Destroy => &DESTROY,
            Verb::Containers => &CONTAINERS,
            Verb::Recover => &RECOVER,
        }
    }
}

const LAUNCH: About = About {
    name: "launch",
    summary: "Start a container in its sandbox; returns once its command runs",
    reads: Some("mesos.containerizer.Launch"),
    writes: None,
    success: "The container's command has been executed.",
    failure: "Nothing was started, or all of it was undone: the agent asks for neither wait nor destroy.",
    example: "mesos-ecp --work_dir=/var/lib/mesos launch < launch.recordio",
};
const UPDATE: About = About {
    name: "update",
    summary: "Change the resources of a running container",
    reads: Some("mesos.containerizer.Update"),
    writes: None,
    success: "The resources hold, or the container is unknown or has ended. Absent cpus or mem stay as they were.",
    failure: "The resources could not be set: the agent destroys the container.",
    example: "echo '{\"container_id\":{\"value\":\"c1\"},\"resources\":[{\"name\":\"cpus\",\"type\":\"SCALAR\",\n  \
              \"scalar\":{\"value\":2}}]}' | mesos-ecp --work_dir=/var/lib/mesos --format=json update",
};
const USAGE: About = About {
    name: "usage",
    summary: "Measure what a container uses",
    reads: Some("mesos.containerizer.Usage"),
    writes: Some("mesos.ResourceStatistics"),
    success: "The record is complete. Before the start and after the end it has little more than its timestamp.",
    failure: "One sample is missing.",
    example: "echo '{\"container_id\":{\"value\":\"c1\"}}' \\\n  \
              | mesos-ecp --work_dir=/var/lib/mesos --format=json usage",
};
const WAIT: About = About {
    name: "wait",
    summary: "Block until a container has ended and say how; may be asked again",
    reads: Some("mesos.containerizer.Wait"),
    writes: Some("mesos.containerizer.Termination"),
    success: "The container has ended and is cleaned up, or is unknown. The status is wait(2)'s: 256 for exit 1.",
    failure: "How it ended could not be found out or written: the agent fails the task and does not ask for destroy.",
    example: "echo '{\"container_id\":{\"value\":\"c1\"}}' \\\n  \
              | mesos-ecp --work_dir=/var/lib/mesos --format=json wait",
};
const DESTROY: About = About {
    name: "destroy",
    summary: "Kill all processes of a container and clean up; returns when all are gone",
    reads: Some("mesos.containerizer.Destroy"),
    writes: None,
    success: "Nothing of the container is left, or it is unknown.",
    failure: "It could not be killed within --cgroups_destroy_timeout; the killing goes on, and it stays listed.",
    example: "echo '{\"container_id\":{\"value\":\"c1\"}}' \\\n  \
              | mesos-ecp --work_dir=/var/lib/mesos --format=json destroy",
};
const CONTAINERS: About = About {
    name: "containers",
    summary: "List the containers, ended ones included while the agent may not know how they ended",
    reads: None,
    writes: Some("mesos.containerizer.Containers"),
    success: "The record is complete.",
    failure: "The agent's recovery fails and the agent exits.",
    example: "mesos-ecp --work_dir=/var/lib/mesos --format=json containers",
};
const RECOVER: About = About {
    name: "recover",
    summary: "After the agent's restart: take over containers and tidy up",
    reads: None,
    writes: None,
    success: "Every container has a supervisor again or is cleaned up.",
    failure: "The agent's recovery fails and the agent exits.",
    example: "mesos-ecp --work_dir=/var/lib/mesos recover",
};
