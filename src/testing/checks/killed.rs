//! The death of a process in the middle of a call.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::time::{Duration, SystemTime};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::bench::{Bench, Found, Must, SAME, Stop, end_after_a_crash, not_done};
use super::crash::{make, take_over, up_to, update_again};
use crate::sys::{Fork, exit_now, fork};
use crate::testing::call::Trace;
use crate::testing::{Call, Life, apart};

/// What follows the death.
#[derive(Clone, Copy)]
pub(super) enum Then {
    TakeOver,
    /// Of an update, whose supervisor lives on.
    Again,
}

/// In a call that is over before this, nothing of somebody else's can have been done.
const SHORTEST: Duration = Duration::from_micros(100);

/// Kills the call in some moments of the time that it takes.
pub(super) fn in_the_middle_of(bench: &Bench<'_>, call: Call, then: Then) -> Found {
    if !apart::is_possible() {
        return Err(Stop::NotDone("takes a process with one thread, as of mesos-ecp isolator-check".into()));
    }
    let to = if call == Call::Update { bench.changed()? } else { SAME };
    let usual = {
        let mut life = ready(bench, call)?;
        make(&mut life, call, to).must("it is the call that is going to be killed")?;
        let usual = life.took();
        end_after_a_crash(&mut life)?;
        usual
    };
    if usual < SHORTEST {
        return Err(Stop::NotDone(format!("it takes no part, or nothing that can be killed: {usual:.1?}")));
    }
    let times = bench.checker.kills;
    let mut in_time = 0;
    for number in 0..times {
        let mut life = ready(bench, call)?;
        let delay = usual.mul_f64((f64::from(number) + jitter()) / f64::from(times));
        in_time += u32::from(killed(&mut life, call, to, delay).map_err(|e| Stop::NotDone(e.to_string()))?);
        let told = |stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("{call} was killed after {delay:.1?} of {usual:.1?}: {why}")),
            other => other,
        };
        match then {
            Then::TakeOver => take_over(&mut life, call),
            Then::Again => update_again(&mut life, to),
        }
        .map_err(told)?;
    }
    super::life::whole(bench)?;
    match in_time {
        0 => Err(Stop::NotDone(format!("it is over too soon ({usual:.1?}): none of {times} in its middle"))),
        _ => Ok(format!("{in_time} of {times} in its middle")),
    }
}

fn ready<'b>(bench: &Bench<'b>, call: Call) -> Result<Life<'b>, Stop> {
    let mut life = bench.life()?;
    life.make_cgroups().map_err(not_done)?;
    up_to(&mut life, call).must("a launch with nothing odd")?;
    Ok(life)
}

/// Makes the call in a process of its own and kills that so long after the call's begin; says whether it was not done by then.
fn killed(life: &mut Life<'_>, call: Call, to: &str, delay: Duration) -> std::io::Result<bool> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    match fork()? {
        Fork::Child => {
            drop(read);
            // It lives as long as this process, which is not long.
            life.trace(Box::leak(Box::new(Trace::new(File::from(write)))));
            let made = std::panic::AssertUnwindSafe(|| make(life, call, to).is_ok());
            exit_now(i32::from(!std::panic::catch_unwind(made).unwrap_or(false)))
        }
        Fork::Parent(pid) => {
            drop(write);
            let (mut pipe, mut heard, begun) = (File::from(read), Vec::new(), format!("B{call}\n"));
            while !String::from_utf8_lossy(&heard).contains(&begun) && hear(&mut pipe, &mut heard)? {}
            std::thread::sleep(delay);
            let pid = Pid::from_raw(pid);
            // Not reaped yet, so it is ours.
            kill(pid, Signal::SIGKILL)?;
            let status = waitpid(pid, None)?;
            // What it has started may have the pipe, so its end is not waited for.
            fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            while hear(&mut pipe, &mut heard).unwrap_or(false) {}
            let is_done = String::from_utf8_lossy(&heard).contains(&format!("E{call} "));
            Ok(matches!(status, WaitStatus::Signaled(..)) && !is_done)
        }
    }
}

/// Reads once; whether there may be more.
fn hear(pipe: &mut File, heard: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut bytes = [0; 512];
    let read = pipe.read(&mut bytes)?;
    heard.extend_from_slice(&bytes[..read]);
    Ok(read > 0)
}

/// From 0 to 1. It need not be very random.
fn jitter() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    f64::from(now.subsec_nanos() % 1000) / 1000.0
}
