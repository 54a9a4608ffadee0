//! A program isolator, run directly: what it does with calls that the containerizer does not make.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::bench::{Bench, Found, Stop, not_done};
use crate::container::ContainerId;
use crate::sys::spawn_grouped;

/// What is kept of its standard error in one call, in bytes.
const MOST_WORDS: u64 = 16 << 10;

/// A process that ends with its program, as the rest of a pipeline does, is given that long.
const TOGETHER: Duration = Duration::from_millis(200);

enum Input<'a> {
    Closed,
    Bytes(&'a [u8]),
}

/// What came of a call.
#[derive(PartialEq, Eq)]
struct Ran {
    /// The exit status, in words, and what else is worth a word.
    status: String,
    /// What it has written to standard output.
    answer: Vec<u8>,
}

/// Runs it. As the containerizer does it: any call but these two is about a container, and a program may go by what its environment
/// says of that. A path that is made of it must not become another one.
fn run(bench: &Bench<'_>, call: &str, input: Input<'_>) -> Result<Ran, Stop> {
    let (Some(program), timeout) = (&bench.checker.program, bench.checker.program_timeout) else {
        return Err(Stop::NotDone("it is no program".into()));
    };
    let cannot = |e: std::io::Error| Stop::NotDone(format!("{} {call} cannot be run: {e}", program.display()));
    let path = |name: &str| -> PathBuf { bench.host.path().join(name) };
    let stdin = match input {
        Input::Closed => Stdio::null(),
        Input::Bytes(_) => Stdio::piped(),
    };
    let (out, err) = (File::create(path("stdout")).map_err(cannot)?, File::create(path("stderr")).map_err(cannot)?);
    let mut command = Command::new(program);
    command.arg(call).current_dir("/").stdin(stdin).stdout(out).stderr(err);
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if !matches!(call, "describe" | "probe") {
        let id = format!("check-direct-{}", std::process::id());
        let id = ContainerId::new(&id).map_err(not_done)?;
        let sandbox = bench.host.make_sandbox(&id).map_err(not_done)?;
        command.env("MESOS_CONTAINER_ID", id.as_str()).env("MESOS_SANDBOX", sandbox);
    }
    let mut child = spawn_grouped(&mut command).spawn().map_err(cannot)?;
    if let (Some(mut pipe), Input::Bytes(bytes)) = (child.stdin.take(), input) {
        // It fits into the pipe, and need not be read.
        let _ = pipe.write_all(bytes);
    }
    let group = Pid::from_raw(child.id() as i32);
    let deadline = Instant::now() + timeout;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            break status;
        }
        if Instant::now() > deadline {
            let _ = killpg(group, Signal::SIGKILL);
            let _ = child.wait();
            return Err(Stop::Failed(format!(
                "{} {call} does not end: it was killed after {timeout:?} (--isolator_timeout)",
                program.display()
            )));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let together = Instant::now() + TOGETHER;
    while killpg(group, None).is_ok() {
        if Instant::now() > together {
            let _ = killpg(group, Signal::SIGKILL);
            return Err(Stop::Failed(format!(
                "{} {call} leaves processes running; they are killed with each call",
                program.display()
            )));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let words = fs::metadata(path("stderr")).map_err(cannot)?.len();
    let mut status = status.to_string();
    if words > MOST_WORDS {
        status.push_str(&format!(", and {words} bytes on standard error, of which {MOST_WORDS} would be kept"));
    }
    Ok(Ran { status, answer: fs::read(path("stdout")).map_err(cannot)? })
}

pub(super) fn describe(bench: &Bench<'_>) -> Found {
    let (one, two) = (run(bench, "describe", Input::Closed)?, run(bench, "describe", Input::Closed)?);
    match one == two {
        true => Ok(String::new()),
        false => Err(Stop::Failed(
            "describe does not say the same twice: it is about the program, not about a container".into(),
        )),
    }
}

/// One that a later version of the containerizer may make.
pub(super) fn unknown(bench: &Bench<'_>) -> Found {
    run(bench, "no-such-call", Input::Closed).map(|ran| ran.status)
}

pub(super) fn garbage(bench: &Bench<'_>) -> Found {
    let mut words = Vec::new();
    for call in ["plan", "usage", "cleanup"] {
        let Ran { status, .. } = run(bench, call, Input::Bytes(b"\xff\xff\xff\x7f garbage {]}\n"))?;
        words.push(format!("{call}: {status}"));
    }
    Ok(words.join(", "))
}

pub(super) fn closed(bench: &Bench<'_>) -> Found {
    let mut words = Vec::new();
    for call in ["plan", "usage", "cleanup"] {
        let Ran { status, .. } = run(bench, call, Input::Closed)?;
        words.push(format!("{call}: {status}"));
    }
    Ok(words.join(", "))
}
