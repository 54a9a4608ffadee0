//! `usage`, against a program that does nothing.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::Options;
use crate::bed::{Bed, CGROUPS, Container, Task};
use crate::guard::Places;
use crate::messages::Statistics;
use crate::report::Table;
use crate::rounds::{Candidate, interleave};
use crate::wire::Message;

/// How many calls the CPU time is measured over.
const CALLS: u32 = 200;

/// The empty Rust program: `examples/empty.rs`, built with the same profile.
pub fn empty_program() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_BIN_EXE_mesos-ecp")).with_file_name("examples").join("empty");
    Some(std::env::var_os("ECP_BENCH_EMPTY").map_or_else(beside, PathBuf::from)).filter(|path| path.exists())
}

/// By /proc, of which more is demanded than of many control files.
const PLAIN: &str = "usage";

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: usage");
    of(options, &Bed::new(places, "usage")?, PLAIN, table)?;
    if nix::unistd::geteuid().is_root() {
        of(options, &Bed::with(places, "usage-cgroups", Some(CGROUPS))?, "usage with cgroups/cpu,mem,pids", table)?;
    }
    Ok(())
}

fn of(options: &Options, bed: &Bed, name: &str, table: &mut Table) -> Result<()> {
    let is_plain = name == PLAIN;
    let (container, _) = bed.launch(&Task::STAYS)?;
    check(&container)?;
    let record = container.record();
    let empty = empty_program();

    let mut candidates = vec![Candidate::new("usage", || Ok(container.run("usage")?.time))];
    if let Some(empty) = &empty {
        candidates.push(Candidate::new("empty", || bed.time_other(empty, &record)));
    }
    let times = interleave(candidates, options.rounds)?;
    let ratio = format!("{name} / an empty Rust program, called alike");
    match times.as_slice() {
        [usage, empty] => {
            table.plain(name, usage.median(), "ms");
            table.plain("an empty Rust program, called alike", empty.median(), "ms");
            match is_plain {
                true => table.bounded(ratio, usage.median() / empty.median(), 1.3, ""),
                false => table.plain(ratio, usage.median() / empty.median(), ""),
            }
        }
        times => {
            times.iter().for_each(|usage| table.plain(name, usage.median(), "ms"));
            table.missing(ratio, "not built");
        }
    }
    let usage = cpu_per_call(|| container.run("usage").map(drop))?;
    table.bounded(format!("{name}, user and system time of a call"), usage, 1.0, "ms");
    if let Some(empty) = &empty {
        let empty = cpu_per_call(|| bed.time_other(empty, &record).map(drop))?;
        table.plain("an empty Rust program, the same", empty, "ms");
    }
    container.run("destroy")?;
    Ok(())
}

/// The answer must be one of a live container.
fn check(container: &Container<'_>) -> Result<()> {
    let statistics = Statistics::of(Message::of_record(&container.run("usage")?.answer));
    if statistics.cpu_seconds().is_none() || statistics.mem_rss_bytes().is_none() {
        bail!("usage measures nothing: {statistics:?}");
    }
    Ok(())
}

fn cpu_per_call(mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let before = children_cpu_ms()?;
    for _ in 0..CALLS {
        call()?;
    }
    Ok((children_cpu_ms()? - before) / f64::from(CALLS))
}

fn children_cpu_ms() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e3)
}
