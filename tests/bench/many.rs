//! With cgroups: the end of a container of many processes, and whether verbs take longer among many containers.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Options;
use crate::bed::{Bed, CGROUPS, Task};
use crate::ending::until;
use crate::guard::Places;
use crate::report::Table;
use crate::rounds::{Candidate, interleave};

/// How many processes a container has that is destroyed.
const PROCESSES: usize = 1000;
/// How often.
const TIMES: usize = 7;
/// How many containers there are beside the one that is measured.
const CONTAINERS: usize = 299;

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        table.missing("cgroups", "needs root");
        return Ok(());
    }
    processes(places, table)?;
    containers(options, places, table)
}

fn processes(places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: destroy of {PROCESSES} processes");
    let bed = Bed::with(places, "processes", Some(CGROUPS))?;
    let script = format!("for i in $(seq {}); do sleep 86400 & done; echo > all; wait", PROCESSES - 1);
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let (container, _) = bed.launch(&Task::Shell(&script))?;
        let all = container.sandbox.join("all");
        until("all processes run", || all.exists().then_some(()))?;
        // The last ones are about to execute their program.
        std::thread::sleep(Duration::from_millis(200));
        times.push(container.run("destroy")?.time.as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(TIMES / 2).context("no time was taken")?;
    table.bounded(format!("destroy of {PROCESSES} processes"), *median, 100.0, "ms");
    Ok(())
}

/// Each verb alone and among many, in turns.
fn containers(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: among {CONTAINERS} others");
    let alone = Bed::with(places, "alone", Some(CGROUPS))?;
    let among = Bed::with(places, "among", Some(CGROUPS))?;
    let others = among.fill(CONTAINERS)?;
    let (first, _) = alone.launch(&Task::STAYS)?;
    let (second, _) = among.launch(&Task::STAYS)?;
    let life = |bed: &Bed, destroy: bool| {
        let (container, launch) = bed.launch(&Task::STAYS)?;
        let end = container.run("destroy")?.time;
        Ok(if destroy { end } else { launch })
    };
    let candidates = vec![
        Candidate::new("launch", || life(&alone, false)),
        Candidate::new("launch among", || life(&among, false)),
        Candidate::new("destroy", || life(&alone, true)),
        Candidate::new("destroy among", || life(&among, true)),
        Candidate::new("usage", || Ok(first.run("usage")?.time)),
        Candidate::new("usage among", || Ok(second.run("usage")?.time)),
    ];
    let names: Vec<String> = candidates.iter().map(|c| c.name.clone()).collect();
    let medians: Vec<f64> = interleave(candidates, options.rounds)?.iter().map(|times| times.median()).collect();
    for (name, pair) in names.iter().step_by(2).zip(medians.chunks(2)) {
        if let [one, many] = pair {
            table.bounded(format!("{name} among {CONTAINERS} other containers / alone"), many / one, 1.2, "");
        }
    }
    drop((first.run("destroy")?, second.run("destroy")?));
    others.iter().try_for_each(|container| container.run("destroy").map(drop))
}
