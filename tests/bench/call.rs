//! One run of a program, timed.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::guard::tail;

/// A program under way, with the pipes that the agent gives to a verb.
pub struct Call {
    child: Child,
    started: Instant,
    /// Open until the end: the agent does not close it earlier.
    _stdin: ChildStdin,
}

/// What came of it.
pub struct Done {
    /// From the spawn to the end.
    pub time: Duration,
    pub answer: Vec<u8>,
}

impl Call {
    /// Starts a program and gives it its record.
    pub fn spawn(command: &mut Command, record: &[u8], log: &Path) -> Result<Call> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors_to(log)?);
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut stdin = child.stdin.take().context("no pipe")?;
        // A program that reads nothing may have ended already.
        let _ = stdin.write_all(record);
        Ok(Call { child, started, _stdin: stdin })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the end, which must be a success. (An answer is small enough for the pipe.)
    pub fn finish(mut self, log: &Path) -> Result<Done> {
        let status = self.child.wait()?;
        let time = self.started.elapsed();
        let mut answer = Vec::new();
        self.child.stdout.take().context("no pipe")?.read_to_end(&mut answer)?;
        if !status.success() {
            bail!("{status}: {}", tail(log));
        }
        Ok(Done { time, answer })
    }
}

/// How long a program takes that needs no record.
pub fn time(command: &mut Command, log: &Path) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors_to(log)?);
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let status = child.wait()?;
    let time = started.elapsed();
    if !status.success() {
        bail!("{status}: {}", tail(log));
    }
    Ok(time)
}

fn errors_to(log: &Path) -> Result<Stdio> {
    Ok(OpenOptions::new().append(true).create(true).open(log)?.into())
}
