//! What the program's verbs cost: time, memory, and how that compares to others. Run it by `scripts/bench`.
//!
//! Options: `--rounds=N`, `--dir=PATH` (where state and sandboxes are made, e.g. on a tmpfs), `--disk`, `--isolators` and
//! `--network` (only what has to do with that), `--strict` (a missed bound makes the exit code 1).

mod bed;
mod call;
mod crowd;
mod disk;
mod ending;
mod guard;
mod isolators;
mod launch;
mod many;
mod network;
mod pidfd;
mod report;
mod rivals;
mod rounds;
mod usage;

// The cgroups, the encoding of records and the process table, as the end-to-end tests have them.
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "../e2e/agent/cgroups.rs"]
mod cgroups;
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "../e2e/agent/messages.rs"]
mod messages;
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "../e2e/agent/processes.rs"]
mod processes;
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "../e2e/agent/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use report::Table;

fn main() -> ExitCode {
    let result = Options::of_this_process().and_then(|options| match guard::Places::of_this_process() {
        Some(places) => measure(&options, &places),
        // What does the work is a process of its own, so that whatever becomes of it is cleaned up.
        None => guard::run(&options),
    });
    result.unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::from(2)
    })
}

fn measure(options: &Options, places: &guard::Places) -> Result<ExitCode> {
    // Two pipes for each call under way.
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(8192)), hard)?;
    report::print_machine(places)?;
    let mut table = Table::default();
    if options.only.is_none() {
        launch::measure(options, places, &mut table)?;
        usage::measure(options, places, &mut table)?;
        ending::measure(options, places, &mut table)?;
        crowd::measure(places, &mut table)?;
        many::measure(options, places, &mut table)?;
    }
    if options.only.is_none_or(|part| part == Part::Isolators) {
        isolators::measure(options, places, &mut table)?;
    }
    if options.only.is_none_or(|part| part == Part::Disk) {
        disk::measure(options, places, &mut table)?;
    }
    if options.only.is_none_or(|part| part == Part::Network) {
        network::measure(options, places, &mut table)?;
    }
    print!("{table}");
    Ok(if options.strict && table.has_missed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What may be chosen.
pub struct Options {
    /// How often each candidate is measured.
    pub rounds: usize,
    /// Where runtime directories and sandboxes are made.
    pub dir: PathBuf,
    /// Whether a missed bound is a failure.
    pub strict: bool,
    /// Whether nothing but this is measured.
    pub only: Option<Part>,
}

/// What can be measured alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What has to do with disk usage.
    Disk,
    /// What has to do with isolators that are programs.
    Isolators,
    /// What has to do with containers' networks.
    Network,
}

/// State is in memory where agents run (/run), so here too if that can be had. On ext4 what was deleted in the last minutes,
/// by an earlier run say, makes new files slower.
fn default_dir() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let is_tmpfs =
        nix::sys::statfs::statfs(&memory).is_ok_and(|s| s.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC);
    if is_tmpfs { memory } else { "/tmp".into() }
}

impl Options {
    /// Reads the arguments.
    pub fn of_this_process() -> Result<Options> {
        let mut options = Options { rounds: 100, dir: default_dir(), strict: false, only: None };
        for argument in std::env::args().skip(1) {
            match argument.split_once('=') {
                Some(("--rounds", value)) => {
                    options.rounds = value.parse().ok().filter(|n| *n > 0).context("--rounds wants a number")?;
                }
                Some(("--dir", value)) => {
                    options.dir = value.into();
                    if !options.dir.is_absolute() {
                        bail!("--dir wants an absolute path");
                    }
                }
                None if argument == "--strict" => options.strict = true,
                None if argument == "--disk" => options.only = Some(Part::Disk),
                None if argument == "--isolators" => options.only = Some(Part::Isolators),
                None if argument == "--network" => options.only = Some(Part::Network),
                // Cargo says this to every benchmark.
                None if argument == "--bench" => {}
                _ => bail!(
                    "unknown argument {argument}; there are --rounds=N, --dir=PATH, --disk, --isolators, --network and --strict"
                ),
            }
        }
        Ok(options)
    }
}
