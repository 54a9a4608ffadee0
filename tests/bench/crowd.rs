//! Many containers at once: what they keep in memory, and what listing them takes.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::bed::{Bed, Container};
use crate::ending::among_waiting;
use crate::guard::Places;
use crate::processes::Process;
use crate::report::Table;
use crate::rounds::{Candidate, interleave};

/// How many containers the memory is measured with.
const SOME: usize = 100;
/// How many `containers` lists.
const MANY: usize = 200;
/// How often it is called.
const CALLS: usize = 41;

pub fn measure(places: &Places, table: &mut Table) -> Result<()> {
    let crowd = Bed::new(places, "crowd")?;
    let mut containers = crowd.fill(SOME)?;
    memory(&crowd, &containers, table)?;
    containers.extend(crowd.fill(MANY - SOME)?);
    listing(places, &crowd, table)?;
    containers.iter().try_for_each(|container| container.run("destroy").map(drop))
}

fn memory(bed: &Bed, containers: &[Container<'_>], table: &mut Table) -> Result<()> {
    eprintln!("bench: memory");
    let supervisors = supervisors(bed);
    if supervisors.len() != SOME {
        bail!("{} supervisors for {SOME} containers", supervisors.len());
    }
    // Measured before there are waits: these share pages with them.
    table.bounded(format!("Pss of each of {SOME} supervisors"), mean_pss(&supervisors)?, 500.0, "KiB");
    among_waiting(containers, |waits| {
        table.bounded(format!("Pss of each of {SOME} waits"), mean_pss(waits)?, 500.0, "KiB");
        Ok(())
    })
}

/// The processes that look after the containers of a place.
fn supervisors(bed: &Bed) -> Vec<i32> {
    let runtime_dir = bed.runtime_dir.display().to_string();
    let is_one = |process: &Process| {
        let line = process.command_line();
        process.name == "mesos-ecp" && line.contains(&runtime_dir) && line.ends_with(" launch")
    };
    Process::all().iter().filter(|process| is_one(process)).map(|process| process.pid).collect()
}

fn mean_pss(pids: &[i32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        sum += pss.and_then(|pss| pss.parse::<f64>().ok()).with_context(|| format!("no Pss in {path}"))?;
    }
    Ok(sum / pids.len() as f64)
}

/// How long `containers` takes with one and with many.
fn listing(places: &Places, crowd: &Bed, table: &mut Table) -> Result<()> {
    eprintln!("bench: containers");
    let single = Bed::new(places, "single")?;
    let alone = single.fill(1)?;
    let candidates = vec![Candidate::new("one", || single.list(1)), Candidate::new("many", || crowd.list(MANY))];
    let medians: Vec<_> = interleave(candidates, CALLS)?.iter().map(|times| times.median()).collect();
    if let [one, many] = medians[..] {
        table.plain("containers, with 1", one, "ms");
        table.plain(format!("containers, with {MANY}"), many, "ms");
        table.bounded(format!("containers, with {MANY} / with 1"), many / one, 2.0, "");
    }
    alone.iter().try_for_each(|container| container.run("destroy").map(drop))
}
