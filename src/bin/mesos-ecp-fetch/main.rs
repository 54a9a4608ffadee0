//! Fetches what `mesos-ecp` does not know how to: by http(s), and archives. It is started beside it, with the rights of the
//! container's user, and told what to do on standard input: see `proto/fetch.proto`.
#![forbid(unsafe_code)]

mod cache;
mod error;
mod extract;
#[cfg(test)]
mod fuzzing;
mod http;
mod order;
mod progress;
mod work;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use error::Failure;
use mesos_ecp::protocol::fetch::Request;
use mesos_ecp::protocol::{decode, read_record};
use nix::sys::signal::Signal;

/// As much as the supervisor reads.
const LONGEST_REASON: usize = 4096;

fn main() -> ExitCode {
    // Nobody waits for the file of a launch that was called off. The name is for lists of processes: it was executed by the
    // number of a descriptor.
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    let _ = nix::sys::prctl::set_name(c"mesos-ecp-fetch");
    let mut report = None;
    match run(&mut report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            let told =
                report.map(|report| File::from(report).write_all(&text.as_bytes()[..text.len().min(LONGEST_REASON)]));
            if !matches!(told, Some(Ok(()))) {
                let _ = io::stderr().write_all(format!("mesos-ecp-fetch: {text}\n").as_bytes());
            }
            ExitCode::FAILURE
        }
    }
}

fn run(report: &mut Option<OwnedFd>) -> Result<(), Failure> {
    let request = request()?;
    *report = Some(order::inherited(request.report, "the report")?);
    work::fetch(&order::Order::of(request)?)
}

fn request() -> Result<Request, Failure> {
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(|error| Failure::Request(error.to_string()))?;
    let record = read_record(&mut File::from(input)).map_err(|error| Failure::Request(error.to_string()))?;
    decode(&record).map_err(|error| Failure::Request(error.to_string()))
}
