//! The death of a process in the middle of a call.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::bench::{Bench, Found, Must, Stop, end_after_a_crash, not_done};
use super::crash::{make, take_over, up_to};
use crate::sys::{Fork, exit_now, fork};
use crate::testing::{Call, Life, apart};

/// Kills the call in some moments of the time that it takes.
pub(super) fn in_the_middle_of(bench: &Bench<'_>, call: Call) -> Found {
    if !apart::is_possible() {
        return Err(Stop::NotDone("takes a process with one thread, as of mesos-ecp isolator-check".into()));
    }
    let usual = {
        let mut life = ready(bench, call)?;
        let begin = Instant::now();
        make(&mut life, call).must("it is the call that is going to be killed")?;
        let usual = begin.elapsed();
        end_after_a_crash(&mut life)?;
        usual
    };
    let times = bench.checker.kills;
    let mut in_time = 0;
    for number in 0..times {
        let mut life = ready(bench, call)?;
        let delay = usual.mul_f64((f64::from(number) + jitter()) / f64::from(times));
        in_time += u32::from(killed(&mut life, call, delay).map_err(|e| Stop::NotDone(e.to_string()))?);
        let told = |stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("{call} was killed after {delay:.1?} of {usual:.1?}: {why}")),
            other => other,
        };
        take_over(&mut life, call).map_err(told)?;
    }
    super::life::whole(bench)?;
    Ok(format!("{in_time} of {times} in its middle"))
}

fn ready<'b>(bench: &Bench<'b>, call: Call) -> Result<Life<'b>, Stop> {
    let mut life = bench.life()?;
    life.make_cgroups().map_err(not_done)?;
    up_to(&mut life, call).must("a launch with nothing odd")?;
    Ok(life)
}

/// Makes the call in a process of its own and kills that after the delay; says whether it was not done by then.
fn killed(life: &mut Life<'_>, call: Call, delay: Duration) -> std::io::Result<bool> {
    life.mute();
    match fork()? {
        Fork::Child => {
            let made = std::panic::AssertUnwindSafe(|| make(life, call).is_ok());
            exit_now(i32::from(!std::panic::catch_unwind(made).unwrap_or(false)))
        }
        Fork::Parent(pid) => {
            let pid = Pid::from_raw(pid);
            std::thread::sleep(delay);
            // Not reaped yet, so it is ours.
            kill(pid, Signal::SIGKILL)?;
            Ok(matches!(waitpid(pid, None)?, nix::sys::wait::WaitStatus::Signaled(..)))
        }
    }
}

/// From 0 to 1. It need not be very random.
fn jitter() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    f64::from(now.subsec_nanos() % 1000) / 1000.0
}
