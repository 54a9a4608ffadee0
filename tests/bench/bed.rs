//! An agent's place: a runtime directory, a work directory, and the calls that it makes there.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::call::{self, Call, Done};
use crate::guard::Places;
use crate::messages::{self, Launch, Termination};
use crate::wire::Message;

/// Every call has it, and so does every rival.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SLAVE: &str = "bench-S0";
const FRAMEWORK: &str = "bench-0000";
/// How many a container gets.
const PORTS: u64 = 10;

/// What a container runs.
pub enum Task<'a> {
    /// A program and its arguments, the name first.
    Program(&'a str, &'a [&'a str]),
    Shell(&'a str),
}

impl Task<'_> {
    /// Stays until it is killed.
    pub const STAYS: Task<'static> = Task::Program("/bin/sleep", &["sleep", "86400"]);
    /// Ends at once.
    pub const ENDS: Task<'static> = Task::Program("/bin/true", &["true"]);
}

/// Where an agent's containers are.
pub struct Bed {
    pub runtime_dir: PathBuf,
    work_dir: PathBuf,
    log: PathBuf,
    user: String,
    flags: Vec<String>,
    volumes: Vec<PathBuf>,
    has_ports: bool,
    count: Cell<u32>,
}

/// Limits only.
pub const CGROUPS: &str = "--isolation=cgroups/cpu,cgroups/mem,cgroups/pids";
/// Limits, namespaces and a file system of its own.
pub const ISOLATED: &str = "--isolation=filesystem/linux,namespaces/pid,namespaces/ipc,namespaces/uts,cgroups/cpu,cgroups/mem,\
                            cgroups/pids";

impl Bed {
    /// Makes a place of this name, for containers without isolation.
    pub fn new(places: &Places, name: &str) -> Result<Bed> {
        Bed::with(places, name, None)
    }

    /// Makes a place of this name, whose verbs get one more flag.
    pub fn with(places: &Places, name: &str, flag: Option<&str>) -> Result<Bed> {
        Bed::at(places, &places.state, name, flag)
    }

    /// The same, below a directory.
    pub fn at(places: &Places, directory: &Path, name: &str, flag: Option<&str>) -> Result<Bed> {
        let root = directory.join(name);
        let work_dir = root.join("work");
        fs::create_dir_all(&work_dir)?;
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())?.context("this account has no name")?;
        let runtime_dir = root.join("run");
        let mut flags = vec![
            "--config=none".to_owned(),
            format!("--runtime_dir={}", runtime_dir.display()),
            format!("--cgroups_root={}/{name}", places.cgroups_root()),
        ];
        flags.extend(flag.map(str::to_owned));
        Ok(Bed {
            runtime_dir,
            work_dir,
            log: places.log(),
            user: user.name,
            flags,
            volumes: Vec::new(),
            has_ports: false,
            count: Cell::new(0),
        })
    }

    /// The same, with these directories of the host as volumes of every container.
    pub fn with_volumes(mut self, volumes: Vec<PathBuf>) -> Bed {
        self.volumes = volumes;
        self
    }

    /// The same, whose verbs get one more flag.
    pub fn with_flag(mut self, flag: &str) -> Bed {
        self.flags.push(flag.to_owned());
        self
    }

    /// The same, with ten ports for each container, which no other has as long as there are not too many.
    pub fn with_ports(mut self) -> Bed {
        self.has_ports = true;
        self
    }

    /// What every container gets, and this one's ports.
    fn resources(&self, port: u16) -> Vec<Message> {
        let mut all = vec![messages::scalar("cpus", 0.1), messages::scalar("mem", 2048.0)];
        if self.has_ports {
            let range = Message::new().varint(1, port.into()).varint(2, u64::from(port) + PORTS - 1);
            let ports = Message::new().bytes(1, "ports").varint(2, 1).message(4, &Message::new().message(1, &range));
            all.push(ports.bytes(6, "*"));
        }
        all
    }

    /// A ContainerInfo of type MESOS with the volumes, which the container may read and write.
    fn container_info(&self) -> Option<Message> {
        let volume = |(number, path): (usize, &PathBuf)| {
            let host = path.display().to_string();
            Message::new().bytes(1, format!("volume-{number}")).bytes(2, &host).varint(3, 1)
        };
        let volumes = self.volumes.iter().enumerate().map(volume);
        let info = volumes.fold(Message::new().varint(1, 2), |info, volume| info.message(2, &volume));
        (!self.volumes.is_empty()).then_some(info)
    }

    /// The program with this verb and the environment that the agent gives it.
    fn command(&self, verb: &str, directory: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesos-ecp"));
        command.args(&self.flags).arg(verb);
        self.surround(&mut command);
        command.current_dir(directory);
        command
    }

    /// `run`, with this program as its command: how long all of a container takes.
    pub fn run(&self, program: &str) -> Result<Duration> {
        let mut command = self.command("run", &self.work_dir);
        call::time(command.args(["--", program]), &self.log)
    }

    /// Gives a program the surroundings of a verb.
    pub fn surround(&self, command: &mut Command) {
        command.env_clear().env("PATH", PATH).env("LIBPROCESS_IP", "127.0.0.1").env("LIBPROCESS_PORT", "5051");
        command.env("MESOS_WORK_DIRECTORY", &self.work_dir).env("MESOS_LIBEXEC_DIRECTORY", &self.work_dir);
        command.current_dir(&self.work_dir);
    }

    /// How long another program takes when it is called like a verb.
    pub fn time_other(&self, program: &Path, record: &[u8]) -> Result<Duration> {
        let mut command = Command::new(program);
        self.surround(&mut command);
        Ok(Call::spawn(&mut command, record, &self.log)?.finish(&self.log)?.time)
    }

    /// `containers`: how long it takes. There must be this many.
    pub fn list(&self, expected: usize) -> Result<Duration> {
        let call = Call::spawn(&mut self.command("containers", &self.work_dir), b"", &self.log)?;
        let done = call.finish(&self.log)?;
        let listed = messages::containers(&Message::of_record(&done.answer)).len();
        if listed != expected {
            bail!("{listed} containers are listed instead of {expected}");
        }
        Ok(done.time)
    }

    /// Launches a container; with the time from the spawn to the exit.
    pub fn launch(&self, task: &Task<'_>) -> Result<(Container<'_>, Duration)> {
        self.count.set(self.count.get() + 1);
        let id = format!("00000000-0000-4000-8000-{:012}", self.count.get());
        let run = format!("slaves/{SLAVE}/frameworks/{FRAMEWORK}/executors/bench/runs/{id}");
        let port = 10_000 + (PORTS as u32 * (self.count.get() % 2000)) as u16;
        let container = Container { bed: self, sandbox: self.work_dir.join(&run), id, port };
        let meta = self.work_dir.join("meta").join(&run);
        fs::create_dir_all(&container.sandbox)?;
        fs::create_dir_all(&meta)?;
        let (command, arguments, shell) = match task {
            Task::Program(path, arguments) => (path, arguments.iter().map(ToString::to_string).collect(), false),
            Task::Shell(script) => (script, Vec::new(), true),
        };
        let launch = Launch {
            container: container.id.clone(),
            executor: "bench".to_owned(),
            framework: FRAMEWORK.to_owned(),
            slave: SLAVE.to_owned(),
            directory: container.sandbox.display().to_string(),
            user: Some(self.user.clone()),
            checkpoint: true,
            name: String::new(),
            source: "bench".to_owned(),
            command: (*command).to_owned(),
            shell: Some(shell),
            arguments,
            environment: Vec::new(),
            uris: Vec::new(),
            resources: self.resources(container.port),
            container_info: self.container_info(),
            task: None,
        };
        let record = launch.message().record();
        let call = Call::spawn(&mut self.command("launch", &container.sandbox), &record, &self.log)?;
        let done = call.finish(&self.log).context("launch")?;
        Ok((container, done.time))
    }

    /// Launches this many that stay.
    pub fn fill(&self, count: usize) -> Result<Vec<Container<'_>>> {
        (0..count).map(|_| Ok(self.launch(&Task::STAYS)?.0)).collect()
    }
}

/// A container that was launched.
pub struct Container<'a> {
    bed: &'a Bed,
    pub sandbox: PathBuf,
    id: String,
    port: u16,
}

impl Container<'_> {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first of its ports, where it has any.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The record of the verbs that name nothing but the container.
    pub fn record(&self) -> Vec<u8> {
        messages::about(&self.id).record()
    }

    /// Starts a verb about it.
    pub fn spawn(&self, verb: &str) -> Result<Call> {
        Call::spawn(&mut self.bed.command(verb, &self.sandbox), &self.record(), &self.bed.log)
    }

    /// Waits for the end of such a call.
    pub fn finish(&self, call: Call) -> Result<Done> {
        call.finish(&self.bed.log)
    }

    /// Runs a verb about it.
    pub fn run(&self, verb: &str) -> Result<Done> {
        self.finish(self.spawn(verb)?).with_context(|| verb.to_owned())
    }

    /// Waits for the container's end, which must have this status, and notes it as the agent does.
    pub fn complete(&self, status: i32) -> Result<()> {
        self.check(&self.run("wait")?, status)
    }

    /// The same with an answer of `wait` that has come already.
    pub fn check(&self, done: &Done, status: i32) -> Result<()> {
        let termination = Termination::of(&Message::of_record(&done.answer), messages::Endings::Reasons);
        if termination.status != Some(status) {
            bail!("an end with status {status} was expected, not {termination:?}");
        }
        let run = self.sandbox.strip_prefix(&self.bed.work_dir)?;
        fs::write(self.bed.work_dir.join("meta").join(run).join("executor.sentinel"), "")?;
        Ok(())
    }
}
