//! The end of a container: how soon `wait` answers when its process has ended, and how long `destroy` takes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use crate::Options;
use crate::bed::{Bed, Container, Task};
use crate::call::Call;
use crate::guard::Places;
use crate::pidfd;
use crate::processes::Process;
use crate::report::Table;
use crate::rounds::Times;

/// How a process ends that is killed, as wait(2) has it.
const KILLED: i32 = 9;
const DEADLINE: Duration = Duration::from_secs(10);

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    wait(options, places, table)?;
    destroy(options, places, table)
}

fn wait(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: wait");
    let bed = Bed::new(places, "wait")?;
    let path = places.state.join("gate");
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600))?;
    // Open for both, so that nobody blocks in open.
    let mut gate = OpenOptions::new().read(true).write(true).open(&path)?;
    let script = format!("echo $$ > pid; read line < {}", path.display());
    let [mut answered, mut ended, mut longest] = [(); 3].map(|()| Times::default());
    for _ in 0..options.rounds {
        let (container, _) = bed.launch(&Task::Shell(&script))?;
        let pid = until("the task's pid", || number(&container.sandbox.join("pid")))?;
        let mut call = container.spawn("wait")?;
        settle(&mut call)?;
        let moments = observe(&mut call, pid, &mut gate)?;
        container.check(&container.finish(call)?, 0)?;
        answered.push(moments.answer.saturating_duration_since(moments.exit));
        ended.push(moments.end.saturating_duration_since(moments.exit));
        longest.push(moments.end.saturating_duration_since(moments.trigger));
    }
    table.bounded("wait: process's end to wait's end, median", ended.median(), 2.0, "ms");
    table.bounded("wait: process's end to wait's end, 90th percentile", ended.quantile(0.9), 2.0, "ms");
    table.bounded("wait: process's end to first byte, median", answered.median(), 2.0, "ms");
    table.bounded("wait: process's end to first byte, 90th percentile", answered.quantile(0.9), 2.0, "ms");
    // Whoever watches may notice the process's end late; what made it end is surely earlier.
    table.plain("wait: what made the process end to wait's end, median", longest.median(), "ms");
    Ok(())
}

/// Of a container of one process.
fn destroy(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: destroy");
    let bed = Bed::new(places, "destroy")?;
    let mut times = Times::default();
    for _ in 0..options.rounds {
        let (container, _) = bed.launch(&Task::STAYS)?;
        let wait = container.spawn("wait")?;
        times.push(container.run("destroy")?.time);
        container.check(&container.finish(wait)?, KILLED)?;
    }
    table.plain("destroy of one process, with a wait under way", times.median(), "ms");
    Ok(())
}

/// When what was seen.
struct Moments {
    trigger: Instant,
    exit: Instant,
    answer: Instant,
    end: Instant,
}

/// Lets the task end, and watches it, the answer and the call.
fn observe(call: &mut Call, task: i32, gate: &mut File) -> Result<Moments> {
    let task = pidfd::open(task)?;
    let child = call.child();
    let process = pidfd::open(i32::try_from(child.id())?)?;
    let stdout = child.stdout.as_ref().context("no pipe")?;
    let watched = [task.as_fd(), stdout.as_fd(), process.as_fd()];
    let mut seen = [None; 3];
    let trigger = Instant::now();
    gate.write_all(b"\n")?;
    while seen.contains(&None) {
        let open: Vec<usize> = (0..3).filter(|index| seen[*index].is_none()).collect();
        let mut fds: Vec<_> = open.iter().map(|index| PollFd::new(watched[*index], PollFlags::POLLIN)).collect();
        if poll(&mut fds, PollTimeout::try_from(DEADLINE)?)? == 0 {
            bail!("nothing happened within {DEADLINE:?}: {seen:?}");
        }
        let now = Instant::now();
        for (index, fd) in open.into_iter().zip(&fds) {
            if fd.any().unwrap_or(true) {
                seen[index] = Some(now);
            }
        }
    }
    match seen {
        [Some(exit), Some(answer), Some(end)] => Ok(Moments { trigger, exit, answer, end }),
        _ => bail!("something was not seen: {seen:?}"),
    }
}

/// Waits until `wait` waits.
fn settle(call: &mut Call) -> Result<()> {
    let pid = i32::try_from(call.child().id())?;
    std::thread::sleep(Duration::from_millis(10));
    until("wait sleeps", || is_asleep(pid).then_some(()))
}

/// Whether a process waits for something.
pub fn is_asleep(pid: i32) -> bool {
    Process::find(pid).is_some_and(|process| process.state == 'S')
}

fn number(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
}

/// Asks until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!("not within {DEADLINE:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Looks at calls of `wait`, one for each container, while they wait; afterwards they are killed.
pub fn among_waiting(containers: &[Container<'_>], look: impl FnOnce(&[i32]) -> Result<()>) -> Result<()> {
    let mut calls = Vec::new();
    let mut pids = Vec::new();
    for container in containers {
        let mut call = container.spawn("wait")?;
        pids.push(i32::try_from(call.child().id())?);
        calls.push(call);
    }
    std::thread::sleep(Duration::from_millis(300));
    until("all waits sleep", || pids.iter().all(|pid| is_asleep(*pid)).then_some(()))?;
    look(&pids)?;
    for call in &mut calls {
        call.child().kill()?;
        call.child().wait()?;
    }
    Ok(())
}
