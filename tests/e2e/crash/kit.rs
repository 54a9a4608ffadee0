//! Sets of isolators for the sweep, and a host for each container in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::agent::messages::{scalar, update};
use crate::agent::wire::Message;
use crate::agent::{Agent, Container, Invocation, Task};
use crate::cgroups::private::can_be_mounted;
use crate::inside::isolated::with_container;
use crate::network::bed::{Bed, by_id, ports};
use crate::persistent::{make, volume};

/// What a container runs until it is told to go.
const SCRIPT: &str = "while [ ! -e go ]; do sleep 0.05; done; exit 3";
/// The raw wait status of that.
pub const STATUS: i32 = 3 << 8;

/// Says by a directory of the container's name that something was made for it which only its cleanup removes.
const MARKER: &str = "case $1 in\n\
    prepare | recover) mkdir -p MADE/$MESOS_CONTAINER_ID ;;\n\
    cleanup) rm -rf MADE/$MESOS_CONTAINER_ID ;;\n\
    watch) exec sleep 1000 ;;\n\
    esac\nprintf '\\0\\0\\0\\0'";

/// A set of isolators with what they need.
pub struct Kit {
    pub name: &'static str,
    isolation: String,
    flags: Vec<String>,
    /// Whether an init keeps the status, whatever dies.
    pub init: bool,
    /// Whether the containers have a network of their own.
    network: bool,
    /// Whether there are programs of the operator's, mounts and things to fetch.
    all: bool,
}

impl Kit {
    /// All that this host can do at the same time; `hierarchies` is where those of cgroups may be mounted that are not.
    pub fn everything(hierarchies: &Path) -> Kit {
        let mut isolation = vec!["filesystem/linux", "posix/cpu", "posix/mem", "posix/disk", "cgroups/all"];
        let mut flags = vec!["--pid1=init".to_owned(), format!("--cgroups_hierarchy={}", hierarchies.display())];
        if can_be_mounted("net_cls") {
            isolation.push("cgroups/net_cls");
            flags.push("--cgroups_net_cls_primary_handle=0x0012".to_owned());
        }
        if can_be_mounted("perf_event") {
            isolation.push("cgroups/perf_event");
            flags.extend(["--perf_events=task-clock", "--perf_interval=600secs"].map(str::to_owned));
        }
        isolation.extend(["linux/capabilities", "posix/rlimits", "namespaces/pid", "namespaces/ipc", "namespaces/uts"]);
        isolation.extend(["namespaces/cgroup", "network/port_mapping", "program/marker", "linux/nnp", "linux/seccomp"]);
        flags.push("--egress_rate_limit_per_container=37500KB".to_owned());
        Kit { name: "everything", isolation: isolation.join(","), flags, init: true, network: true, all: true }
    }

    /// A cheap set, of those that exclude others of everything, without an init.
    pub fn cheap() -> Kit {
        let isolation = "filesystem/posix,posix/cpu,posix/mem,network/ports".to_owned();
        Kit { name: "cheap", isolation, flags: Vec::new(), init: false, network: false, all: false }
    }

    /// One with a network for each container, and nothing else.
    pub fn network() -> Kit {
        let isolation = "filesystem/posix,network/port_mapping".to_owned();
        Kit { name: "network", isolation, flags: Vec::new(), init: false, network: true, all: false }
    }

    /// A host for one container.
    pub fn place(&self) -> Place<'_> {
        let bed = self.network.then(|| Bed::new().expect("network namespaces can be made"));
        let mut builder = Agent::builder().flag(&format!("--isolation={}", self.isolation));
        builder = self.flags.iter().fold(builder, |builder, flag| builder.flag(flag));
        if let Some(bed) = &bed {
            builder = builder.through(&bed.enter());
        }
        if self.all {
            // By variables: the stand-in's shell would read a command once more. The directory is not known before.
            let hook =
                |what: &str| format!("{what} $(cat $MESOS_SANDBOX/../../../../../../../../hooked)/$MESOS_CONTAINER_ID");
            builder = builder.env("MESOS_ECP_ON_LAUNCH", &hook("mkdir -p"));
            builder = builder.env("MESOS_ECP_ON_EXIT", &hook("rm -rf"));
        }
        let agent = builder.build();
        if self.all {
            fs::create_dir(made(&agent)).unwrap();
            fs::create_dir(agent.path("shared")).unwrap();
            fs::write(agent.path("fetched.txt"), "fetched").unwrap();
            fs::write(agent.work_dir.join("hooked"), agent.path("hooks").to_str().unwrap()).unwrap();
            agent.helper("marker", &MARKER.replace("MADE", made(&agent).to_str().unwrap()));
        }
        ["data", "more"].iter().for_each(|id| drop(make(&agent, id)));
        Place { kit: self, agent, bed }
    }
}

/// Where the program isolator of the kit puts what it has made.
fn made(agent: &Agent) -> PathBuf {
    agent.path("made")
}

/// A host with an agent, for one container.
pub struct Place<'k> {
    pub kit: &'k Kit,
    pub agent: Agent,
    /// Dropped after the agent.
    bed: Option<Bed>,
}

impl Place<'_> {
    /// A container of this kit.
    pub fn task(&self) -> Task<'_> {
        self.dress(self.agent.task(SCRIPT))
    }

    /// One whose command does not exist.
    pub fn failing(&self) -> Task<'_> {
        self.dress(self.agent.program("/no/such/program", &["x"]))
    }

    fn dress<'a>(&'a self, task: Task<'a>) -> Task<'a> {
        let task = task.resources(self.resources(false));
        if !self.kit.all {
            return task;
        }
        let shared = self.agent.path("shared");
        let task = task.flag(&format!("--isolator_dir={}", self.agent.libexec.display()));
        let task = task.uri(crate::agent::messages::uri(self.agent.path("fetched.txt").to_str().unwrap()));
        with_container(task, move |info| {
            let volume = Message::new().bytes(1, "given").bytes(2, shared.to_str().unwrap()).varint(3, 1);
            info.message(2, &volume).bytes(4, "crash.example")
        })
    }

    /// Before or after an update.
    fn resources(&self, later: bool) -> Vec<Message> {
        let either = |first: f64, then: f64| if later { then } else { first };
        let mut all = vec![scalar("cpus", either(0.5, 0.3)), scalar("mem", either(96.0, 64.0))];
        let name = if later { "more" } else { "data" };
        all.push(ports(if later { &[(31000, 31003), (31008, 31011)] } else { &[(31000, 31007)] }));
        all.extend([scalar("disk", 64.0), volume(name, name).resource()]);
        all
    }

    /// The call that gives a container its later resources.
    pub fn update<'a>(&'a self, container: &Container<'a>) -> Invocation<'a> {
        container.invoke("update").record(update(&container.id, &self.resources(true)).record())
    }

    /// What the host still has of containers, of these in particular. In words, nothing if all is well.
    pub fn left(&self, ids: &[&str]) -> Vec<String> {
        let mut left = self.agent.left();
        left.extend(self.bed.iter().flat_map(Bed::left));
        left.extend(ids.iter().filter(|id| by_id(id).is_symlink()).map(|id| format!("network name of {id}")));
        for place in [made(&self.agent), self.agent.path("hooks")] {
            let entries = fs::read_dir(place).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| format!("what a program made: {}", entry.path().display())));
        }
        left
    }
}
