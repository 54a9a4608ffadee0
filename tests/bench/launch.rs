//! `launch`, against others that start a program.

use std::process::Command;

use anyhow::Result;

use crate::Options;
use crate::bed::{Bed, CGROUPS, ISOLATED, PATH, Task};
use crate::guard::Places;
use crate::report::Table;
use crate::rivals::{self, ALIKE, BINDS, PROGRAM, Rival};
use crate::rounds::{Candidate, interleave};
use crate::{call, usage};

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: launch");
    let bed = Bed::new(places, "launch")?;
    let rivals = rivals::all(places)?;
    let ready: Vec<&Rival> = rivals.iter().filter_map(|(_, rival)| rival.as_ref().ok()).collect();
    let empty = usage::empty_program();
    let log = places.log();

    let confined = Bed::with(places, "launch-cgroups", Some(CGROUPS))?;
    // A container with an IPC namespace has a /dev/shm of its own, so its sandbox cannot be in the host's.
    let place = if places.state.starts_with("/dev/shm") { &places.scratch } else { &places.state };
    let isolated = Bed::at(places, place, "launch-isolated", Some(ISOLATED))?.with_volumes(rivals::volumes(places)?);
    let run = |bed: &Bed| {
        let (container, time) = bed.launch(&Task::ENDS)?;
        container.complete(0)?;
        Ok(time)
    };
    let mut candidates = vec![Candidate::new(PLAIN, || run(&bed))];
    let as_root = nix::unistd::geteuid().is_root();
    if as_root {
        candidates.push(Candidate::new(CONFINED, || run(&confined)));
        candidates.push(Candidate::new(APART, || run(&isolated)));
    }
    candidates.push(Candidate::new(FOREGROUND, || bed.run(PROGRAM)));
    candidates.extend(ready.iter().map(|rival| Candidate::new(rival.name, || rival.time())));
    let plain = [Some(PROGRAM.into()), empty].into_iter().flatten();
    candidates.extend(plain.map(|program| {
        let mut command = Command::new(&program);
        command.env_clear().env("PATH", PATH);
        let name = if program.as_os_str() == PROGRAM { "spawn of /bin/true" } else { "spawn of an empty Rust program" };
        Candidate::new(name, {
            let log = log.clone();
            move || call::time(&mut command, &log)
        })
    }));
    let names: Vec<_> = candidates.iter().map(|candidate| candidate.name.clone()).collect();
    let medians: Vec<_> = interleave(candidates, options.rounds)?.iter().map(|times| times.median()).collect();
    let of = |name: &str| names.iter().position(|n| n == name).map(|index| medians[index]);

    for (name, median) in names.iter().zip(&medians) {
        let figure =
            if ready.iter().any(|rival| rival.name == name) { format!("{name} of /bin/true") } else { name.clone() };
        table.plain(figure, *median, "ms");
    }
    for (what, (name, rival)) in
        [PLAIN, CONFINED, APART, FOREGROUND].into_iter().flat_map(|what| rivals.iter().map(move |r| (what, r)))
    {
        let figure = format!("{what} / {name}");
        let bound = BOUNDS.iter().find(|(w, n, _)| *w == what && n == name).map(|(.., bound)| *bound);
        match (rival, of(what), of(name)) {
            (Err(reason), ..) => table.missing(figure, reason),
            (Ok(_), Some(launch), Some(other)) if (what, *name) == (MORE.0, MORE.1) => {
                table.bounded(format!("{what} - {name}"), launch - other, MORE.2, "ms");
            }
            (Ok(_), Some(launch), Some(other)) => match bound {
                Some(bound) => table.bounded(figure, launch / other, bound, ""),
                None => table.plain(figure, launch / other, ""),
            },
            _ => table.missing(figure, if as_root { "not measured" } else { "needs root" }),
        }
    }
    Ok(())
}

const PLAIN: &str = "launch";
const CONFINED: &str = "launch with cgroups/cpu,mem,pids";
/// Namespaces for mounts, pids, IPC and names, limits, filesystem/linux, and three volumes.
const APART: &str = "launch with namespaces, cgroups, volumes";
/// To the end of the container, and of all that was made for it.
const FOREGROUND: &str = "mesos-ecp run";

/// What must not be exceeded.
const BOUNDS: [(&str, &str, f64); 4] =
    [(PLAIN, "runc", 0.12), (CONFINED, "runc", 0.12), (CONFINED, "crun", 0.5), (APART, ALIKE, 0.15)];

/// More than this rival, in milliseconds.
const MORE: (&str, &str, f64) = (APART, BINDS, 1.5);
