//! Looking at disk usage: the walk against du, and what `launch` and `usage` take with posix/disk.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use mesos_ecp::du::Walk;

use crate::bed::{Bed, PATH, Task};
use crate::guard::Places;
use crate::report::Table;
use crate::rounds::{Candidate, interleave};
use crate::{Options, call};

const WITH: &str = "--isolation=posix/cpu,posix/mem,posix/disk";

/// Of each tree.
const ENTRIES: usize = 100_000;
/// How many files each of its directories has.
const FILES: [usize; 4] = [1, 4, 10, 100];
/// A walk takes long, and differs less.
const SHARE: usize = 5;

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: disk");
    for files in FILES {
        let tree = places.scratch.join(format!("tree-{files}"));
        make(&tree, files)?;
        let log = places.log();
        let mut du = Command::new("du");
        du.args(["-k", "-s", "-x"]).arg(&tree).env_clear().env("PATH", PATH);
        let candidates =
            vec![Candidate::new("walk", || walk(&tree)), Candidate::new("du", move || call::time(&mut du, &log))];
        let times = interleave(candidates, options.rounds.div_ceil(SHARE))?;
        let [walk, du] = times.as_slice() else { bail!("two were measured") };
        let what = format!("walk of {ENTRIES} entries, {files} files in each directory");
        table.plain(&what, walk.median(), "ms");
        table.plain(format!("du / {what}"), du.median() / walk.median(), "");
        fs::remove_dir_all(&tree)?;
    }
    let (off, on) = (Bed::new(places, "disk-off")?, Bed::with(places, "disk-on", Some(WITH))?);
    let launch = |bed: &Bed| {
        let (container, time) = bed.launch(&Task::ENDS)?;
        container.complete(0)?;
        Ok(time)
    };
    compare("launch", options, table, || launch(&off), || launch(&on))?;
    let (of_off, of_on) = (off.launch(&Task::STAYS)?.0, on.launch(&Task::STAYS)?.0);
    // Until the first walk is done.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    compare("usage", options, table, || Ok(of_off.run("usage")?.time), || Ok(of_on.run("usage")?.time))?;
    of_off.run("destroy")?;
    of_on.run("destroy").map(drop)
}

fn compare<'a>(
    verb: &str,
    options: &Options,
    table: &mut Table,
    off: impl FnMut() -> Result<std::time::Duration> + 'a,
    on: impl FnMut() -> Result<std::time::Duration> + 'a,
) -> Result<()> {
    let times = interleave(vec![Candidate::new("off", off), Candidate::new("on", on)], options.rounds)?;
    if let [off, on] = times.as_slice() {
        table.bounded(format!("{verb} with posix/disk / {verb}"), on.median() / off.median(), 1.05, "");
    }
    Ok(())
}

fn walk(tree: &Path) -> Result<std::time::Duration> {
    let begin = Instant::now();
    let mut walk = Walk::begin(File::open(tree)?.as_fd())?;
    while !walk.advance(1024)? {}
    Ok(begin.elapsed())
}

fn make(tree: &Path, files: usize) -> Result<()> {
    for number in 0..ENTRIES / (files + 1) {
        let directory = tree.join(format!("part-{}/directory-{number}", number % 100));
        fs::create_dir_all(&directory)?;
        for file in 0..files {
            fs::write(directory.join(format!("file-{file}")), vec![b'x'; number % 3])?;
        }
    }
    Ok(())
}
