//! `acme/pinned-cpus`: whole CPUs, each for one container.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::agent::container::AWAIT_GO;
use crate::agent::messages::{scalar, update};
use crate::agent::{Agent, Container, Task, eventually, skip};
use crate::refusals::assert_says;

pub fn agent() -> Agent {
    Agent::builder().example("pinned_cpus").flag("--isolation=posix/cpu,acme/pinned-cpus").build()
}

/// The CPUs that this machine lets the tests use.
fn here() -> Vec<usize> {
    let own = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|cpu| own.is_set(*cpu).unwrap()).collect()
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu).unwrap());
    set
}

fn show(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Has the isolator share out the first so many CPUs of this machine, and says which.
pub fn pool(agent: &Agent, many: usize) -> Vec<usize> {
    let dir = agent.runtime_dir.join("pinned-cpus");
    DirBuilder::new().mode(0o700).recursive(true).create(&dir).unwrap();
    let cpus = here()[..many].to_vec();
    fs::write(dir.join("cpus"), format!("{}\n", show(&cpus))).unwrap();
    cpus
}

/// Where it is written down who has a CPU.
pub fn slots(agent: &Agent) -> PathBuf {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    agent.runtime_dir.join("pinned-cpus").join(boot.trim())
}

/// Whose each CPU is that is taken.
pub fn taken(agent: &Agent) -> BTreeMap<usize, String> {
    let entries = fs::read_dir(slots(agent)).into_iter().flatten().flatten();
    let link = |entry: fs::DirEntry| {
        let holder = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_str()?.parse().unwrap(), holder.to_str()?.to_owned()))
    };
    entries.filter_map(link).collect()
}

pub fn task(agent: &Agent, cpus: f64) -> Task<'_> {
    let script = format!("echo $PINNED_CPUS > cpus; sleep 1000 & {AWAIT_GO}; exit 3");
    agent.task(&script).resources(vec![scalar("cpus", cpus), scalar("mem", 96.0)])
}

fn launch(agent: &Agent, cpus: f64) -> Container<'_> {
    let container = task(agent, cpus).launch();
    container.line("cpus");
    container
}

/// Fails the test unless the container, and all of its threads, have these CPUs.
#[track_caller]
pub fn assert_has(agent: &Agent, container: &Container<'_>, cpus: &[usize]) {
    let held: Vec<usize> =
        taken(agent).into_iter().filter(|(_, holder)| *holder == container.id).map(|(cpu, _)| cpu).collect();
    assert_eq!(held, cpus);
    for process in container.processes() {
        match sched_getaffinity(Pid::from_raw(process.pid)) {
            Ok(used) => assert_eq!(used, set(cpus), "{}", process.command_line()),
            Err(e) => assert_eq!(e, nix::errno::Errno::ESRCH),
        }
    }
}

macro_rules! need_two_cpus {
    () => {
        if here().len() < 2 {
            skip!("needs two CPUs");
        }
    };
}

#[test]
fn a_container_has_cpus_of_its_own_and_more_or_less_after_an_update() {
    need_two_cpus!();
    let agent = agent();
    let cpus = pool(&agent, 2);
    let container = launch(&agent, 1.2);
    assert_eq!(container.line("cpus"), show(&cpus));
    assert_has(&agent, &container, &cpus);
    let usage = container.usage();
    assert!(usage.cpus_limit() == Some(2.0) && usage.cpu_seconds().is_some(), "{usage:?}");
    container.update(&[("cpus", 0.5)]);
    assert_has(&agent, &container, &cpus[..1]);
    assert_eq!(container.usage().cpus_limit(), Some(1.0));
    container.update(&[("mem", 64.0)]);
    assert_has(&agent, &container, &cpus[..1]);
    container.update(&[("cpus", 2.0)]);
    assert_has(&agent, &container, &cpus);
    container.go();
    container.complete().assert_status(3 << 8);
    assert!(taken(&agent).is_empty());
    agent.assert_nothing_left();
}

#[test]
fn who_comes_too_late_hears_who_has_them() {
    need_two_cpus!();
    let agent = agent();
    let cpus = pool(&agent, 2);
    let calls: Vec<_> = (0..6).map(|_| task(&agent, 1.0).spawn()).collect();
    let ends: Vec<_> = calls.into_iter().map(|(container, call)| (container, call.finish())).collect();
    let (won, lost): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(_, output)| output.status.success());
    assert_eq!((won.len(), lost.len()), (2, 4));
    won.iter().for_each(|(container, _)| container.remember());
    let holders = taken(&agent);
    for (_, output) in lost {
        let reason = output.refused();
        assert_says(&reason, &["isolator acme/pinned-cpus: prepare: ", "needs 1 of the CPUs", "can have 0"]);
        for (cpu, holder) in &holders {
            assert_says(&reason, &[&format!("CPU {cpu} is {holder}'s")]);
        }
    }
    let [(first, _), (second, _)] = &won[..] else { unreachable!() };
    let record = update(&first.id, &[scalar("cpus", 2.0)]).record();
    let refused = first.invoke("update").record(record).run().refused();
    assert_says(&refused, &["isolator acme/pinned-cpus: update: ", "needs 2", &format!("is {}'s", second.id)]);
    assert_eq!(taken(&agent), holders, "it has taken nothing");
    // As the agent does then.
    first.destroy();
    second.update(&[("cpus", 2.0)]);
    assert_has(&agent, second, &cpus);
    second.destroy();
    assert!(taken(&agent).is_empty());
    agent.assert_nothing_left();
}

/// What somebody removed or changed while nobody looked is put in order by who takes over.
#[test]
fn a_take_over_takes_them_again() {
    need_two_cpus!();
    let agent = agent();
    let cpus = pool(&agent, 2);
    let container = launch(&agent, 1.0);
    assert_has(&agent, &container, &cpus[..1]);
    agent.kill_supervisors();
    fs::remove_file(slots(&agent).join(cpus[0].to_string())).unwrap();
    sched_setaffinity(Pid::from_raw(container.first_pid()), &set(&cpus)).unwrap();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    eventually("the CPU is taken again", || !taken(&agent).is_empty());
    eventually("it is pinned again", || {
        sched_getaffinity(Pid::from_raw(container.first_pid())).unwrap() == set(&cpus[..1])
    });
    assert_has(&agent, &container, &cpus[..1]);
    container.go();
    wait.finish().termination();
    container.note_end();
    assert!(taken(&agent).is_empty());
    agent.assert_nothing_left();
}

/// It takes no root: whose processes they are may pin them.
#[test]
fn an_agent_without_root_has_it_as_well() {
    crate::agent::need_root!();
    let agent =
        Agent::builder().example("pinned_cpus").flag("--isolation=posix/cpu,acme/pinned-cpus").unprivileged().build();
    let container = agent.task(&format!("echo $PINNED_CPUS > cpus; {AWAIT_GO}; exit 3")).launch();
    assert_eq!(container.line("cpus"), show(&here()[..1]), "those that the agent may use");
    assert_has(&agent, &container, &here()[..1]);
    container.destroy();
    container.wait();
    assert!(taken(&agent).is_empty());
    agent.assert_nothing_left();
}
