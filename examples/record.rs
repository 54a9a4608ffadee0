//! Writes the records that an agent writes, and prints those that it reads: for demonstrations, and for trying the verbs by
//! hand. `cargo run --release --example record` says how it is used.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use mesos_ecp::protocol::mesos::containerizer::{Containers, Launch, Termination, Update, Usage};
use mesos_ecp::protocol::mesos::{
    CommandInfo, ContainerId, ExecutorId, ExecutorInfo, FrameworkId, Resource, ResourceStatistics, SlaveId, value,
};
use mesos_ecp::protocol::{Described, decode, read_record, write_record};

const USAGE: &str = "\
record launch --id=ID --directory=PATH --command=TEXT [--user=NAME] [--cpus=N] [--mem=MB]
record update --id=ID [--cpus=N] [--mem=MB]
record usage|wait|destroy --id=ID
    writes such a record to standard output

record map [--id=ID] [--directory=PATH] [--user=NAME] < launch.recordio
    copies a launch record, with these fields replaced; an empty NAME leaves the user out

record show launch|usage|termination|containers < answer.recordio
    prints a record: usage is what the verb usage answers, termination what wait answers

Example: record usage --id=c1 | mesos-ecp --work_dir=/var/lib/mesos usage | record show usage";

/// `--name=value` arguments.
struct Arguments(Vec<(String, String)>);

impl Arguments {
    fn parse(known: &[&str], arguments: &[String]) -> Result<Arguments> {
        let mut found = Vec::new();
        for argument in arguments {
            let (name, value) = argument
                .strip_prefix("--")
                .and_then(|a| a.split_once('='))
                .with_context(|| format!("{argument} is not of the form --name=value\n{USAGE}"))?;
            if !known.contains(&name) {
                bail!("--{name} is not known here\n{USAGE}");
            }
            found.push((name.to_owned(), value.to_owned()));
        }
        Ok(Arguments(found))
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }

    fn need(&self, name: &str) -> Result<String> {
        self.get(name).with_context(|| format!("--{name}=... is missing\n{USAGE}"))
    }

    fn resources(&self) -> Result<Vec<Resource>> {
        let mut resources = Vec::new();
        for name in ["cpus", "mem"] {
            if let Some(text) = self.get(name) {
                let value = text.parse().with_context(|| format!("--{name}={text}: not a number"))?;
                let scalar = Some(value::Scalar { value });
                resources.push(Resource { name: name.to_owned(), scalar, ..Resource::default() });
            }
        }
        Ok(resources)
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut output = io::stdout().lock();
    let Some((what, rest)) = arguments.split_first() else {
        bail!("{USAGE}");
    };
    let parse = |known: &[&str]| Arguments::parse(known, rest);
    match what.as_str() {
        "launch" => {
            write_record(&mut output, &launch(&parse(&["id", "directory", "command", "user", "cpus", "mem"])?)?)?
        }
        "update" => {
            let arguments = parse(&["id", "cpus", "mem"])?;
            let container_id = ContainerId { value: arguments.need("id")? };
            write_record(&mut output, &Update { container_id, resources: arguments.resources()? })?;
        }
        // Three messages, one form: the id is field 1 of each.
        "usage" | "wait" | "destroy" => {
            let container_id = ContainerId { value: parse(&["id"])?.need("id")? };
            write_record(&mut output, &Usage { container_id })?;
        }
        "map" => write_record(&mut output, &map(&parse(&["id", "directory", "user"])?)?)?,
        "show" => show(rest, &mut output)?,
        _ => bail!("{what} is not known\n{USAGE}"),
    }
    Ok(())
}

/// What an agent sends for a custom executor, with the ids of no real cluster.
fn launch(arguments: &Arguments) -> Result<Launch> {
    let executor = ExecutorInfo {
        executor_id: ExecutorId { value: "executor".into() },
        framework_id: Some(FrameworkId { value: "framework".into() }),
        command: CommandInfo { value: Some(arguments.need("command")?), ..CommandInfo::default() },
        resources: arguments.resources()?,
        ..ExecutorInfo::default()
    };
    Ok(Launch {
        container_id: ContainerId { value: arguments.need("id")? },
        executor_info: Some(executor),
        directory: Some(arguments.need("directory")?),
        user: arguments.get("user"),
        slave_id: Some(SlaveId { value: "slave".into() }),
        slave_pid: Some("slave(1)@127.0.0.1:5051".into()),
        checkpoint: Some(false),
        ..Launch::default()
    })
}

fn map(arguments: &Arguments) -> Result<Launch> {
    let mut launch: Launch = input()?;
    if let Some(value) = arguments.get("id") {
        launch.container_id = ContainerId { value };
    }
    if let Some(directory) = arguments.get("directory") {
        launch.directory = Some(directory);
    }
    if let Some(user) = arguments.get("user") {
        launch.user = Some(user).filter(|user| !user.is_empty());
    }
    Ok(launch)
}

fn input<M: prost::Message + Default + Described>() -> Result<M> {
    Ok(decode(&read_record(&mut io::stdin().lock())?)?)
}

/// A line for each field that is there.
fn show(arguments: &[String], output: &mut impl Write) -> Result<()> {
    fn line(output: &mut impl Write, name: &str, value: Option<impl ToString>) -> io::Result<()> {
        value.map_or(Ok(()), |value| writeln!(output, "{name}: {}", value.to_string()))
    }
    let [what] = arguments else {
        bail!("show takes one name\n{USAGE}");
    };
    match what.as_str() {
        "launch" => {
            let launch: Launch = input()?;
            let executor = launch.executor_info.as_ref();
            line(output, "container", Some(&launch.container_id.value))?;
            line(output, "command", executor.and_then(|e| e.command.value.as_ref()))?;
            line(output, "directory", launch.directory.as_ref())?;
            line(output, "user", launch.user.as_ref())?;
        }
        "usage" => {
            let usage: ResourceStatistics = input()?;
            line(output, "timestamp", Some(usage.timestamp))?;
            line(output, "processes", usage.processes)?;
            line(output, "cpus_user_time_secs", usage.cpus_user_time_secs)?;
            line(output, "cpus_system_time_secs", usage.cpus_system_time_secs)?;
            line(output, "cpus_limit", usage.cpus_limit)?;
            line(output, "mem_rss_bytes", usage.mem_rss_bytes)?;
            line(output, "mem_limit_bytes", usage.mem_limit_bytes)?;
        }
        "termination" => {
            let termination: Termination = input()?;
            line(output, "status", termination.status)?;
            line(output, "killed", Some(termination.killed))?;
            line(output, "message", termination.message.as_ref())?;
        }
        "containers" => {
            let containers: Containers = input()?;
            for container in containers.containers {
                line(output, "container", Some(container.value))?;
            }
        }
        _ => bail!("a record of {what} cannot be shown\n{USAGE}"),
    }
    Ok(())
}
