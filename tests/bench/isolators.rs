//! Isolators that are programs: what a call of one costs beside the program itself, and what it costs verbs that it has no part in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::bed::{Bed, PATH, Task};
use crate::guard::Places;
use crate::report::Table;
use crate::rounds::{Candidate, interleave};
use crate::{Options, call};

/// Calls of a program in one launch: describe, probe, plan, prepare, isolate.
const IN_A_LAUNCH: f64 = 5.0;

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: program isolators");
    let dir = places.scratch.join("isolators");
    fs::create_dir_all(&dir)?;
    // What answers nothing and succeeds takes part in all calls and does nothing.
    fs::copy("/bin/true", dir.join("nothing"))?;
    fs::write(dir.join("no-usage"), "#!/bin/sh\n[ $1 != describe ] || echo '{\"calls\": [\"prepare\"]}'\n")?;
    fs::set_permissions(dir.join("no-usage"), fs::Permissions::from_mode(0o755))?;
    let bed = |name: &str, isolation: &str| -> Result<Bed> {
        let flag = format!("--isolation=posix/cpu,posix/mem{isolation}");
        Ok(Bed::with(places, name, Some(&flag))?.with_flag(&format!("--isolator_dir={}", dir.display())))
    };
    let off = bed("isolators-off", "")?;
    let on = bed("isolators-on", ",program/nothing")?;
    let apart = bed("isolators-apart", ",program/no-usage")?;
    let log = places.log();
    let itself = || call::time(Command::new("/bin/true").env_clear().env("PATH", PATH), Path::new(&log));

    let launch = |bed: &Bed| -> Result<Duration> {
        let (container, time) = bed.launch(&Task::ENDS)?;
        container.complete(0)?;
        Ok(time)
    };
    let candidates = vec![
        Candidate::new("off", || launch(&off)),
        Candidate::new("on", || launch(&on)),
        Candidate::new("true", itself),
    ];
    let times = interleave(candidates, options.rounds)?;
    let [without, with, alone] = times.as_slice() else { bail!("three were measured") };
    table.plain("/bin/true, started and waited for", alone.median(), "ms");
    let more = (with.median() - without.median()) / IN_A_LAUNCH - alone.median();
    table.bounded("a call of a program isolator in launch, beside /bin/true itself", more, 2.0, "ms");

    let (of_off, of_on, of_apart) =
        (off.launch(&Task::STAYS)?.0, on.launch(&Task::STAYS)?.0, apart.launch(&Task::STAYS)?.0);
    let candidates = vec![
        Candidate::new("off", || Ok(of_off.run("usage")?.time)),
        Candidate::new("on", || Ok(of_on.run("usage")?.time)),
        Candidate::new("apart", || Ok(of_apart.run("usage")?.time)),
        Candidate::new("true", itself),
    ];
    let times = interleave(candidates, options.rounds)?;
    let [without, with, apart, alone] = times.as_slice() else { bail!("four were measured") };
    let more = with.median() - without.median() - alone.median();
    table.bounded("a call of a program isolator in usage, beside /bin/true itself", more, 2.0, "ms");
    table.bounded("usage with a program that has no part in it / usage", apart.median() / without.median(), 1.05, "");
    for container in [of_off, of_on, of_apart] {
        container.run("destroy")?;
    }
    Ok(())
}
