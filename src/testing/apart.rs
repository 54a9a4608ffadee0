//! Running one check so that neither its hang nor its death is ours.
//!
//! In a process with one thread each check is a process of its own. Only so can a call be killed in its middle and be seen what it
//! leaves running. In one with several threads (any test of cargo's) it is a thread, which is left to itself when it hangs.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::call::{Call, Trace};
use super::report::Outcome;
use super::signals::Signals;
use crate::proc::Proc;
use crate::sys::{Fork, exit_now, fork};

/// What came of it.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// It was not done at its deadline.
    pub(super) hung: bool,
    pub(super) took: Duration,
    /// How long each call took that has come back.
    pub(super) calls: Vec<(Call, Duration)>,
    /// The processes that it has left running, which now are killed. None: they could not be told from others'.
    pub(super) left: Option<Vec<String>>,
}

/// What has been heard through the pipe.
#[derive(Default)]
struct Heard {
    text: String,
    calls: Vec<(Call, Duration)>,
    under_way: Option<Call>,
    outcome: Option<Outcome>,
}

impl Heard {
    fn hear(&mut self, bytes: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        while let Some((line, rest)) = self.text.split_once('\n') {
            let (line, rest) = (line.to_owned(), rest.to_owned());
            self.text = rest;
            let Some((kind, said)) = line.split_at_checked(1) else { continue };
            match kind {
                "B" => self.under_way = Call::named(said),
                "E" => {
                    self.under_way = None;
                    let (call, nanos) = said.split_once(' ').unwrap_or((said, ""));
                    self.calls.extend(Call::named(call).zip(nanos.parse().ok().map(Duration::from_nanos)));
                }
                "P" => self.outcome = Some(Outcome::Passed(said.to_owned())),
                "F" => self.outcome = Some(Outcome::Failed(said.to_owned())),
                "N" => self.outcome = Some(Outcome::NotDone(said.to_owned())),
                _ => {}
            }
        }
    }

    fn place(&self) -> String {
        self.under_way.map_or_else(|| "between two calls".into(), |call| format!("in {call}"))
    }
}

fn say(trace: &Trace, outcome: &Outcome) {
    match outcome {
        Outcome::Passed(note) => trace.line(&format!("P{note}")),
        Outcome::Failed(why) => trace.line(&format!("F{why}")),
        Outcome::NotDone(why) => trace.line(&format!("N{why}")),
    }
}

/// Whether checks will be processes here.
pub(super) fn is_possible() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Runs `check`, for no longer than `limit`.
pub(super) fn run(
    limit: Duration,
    signals: Option<&Signals>,
    check: impl FnOnce(&Trace) -> Outcome + Send + 'static,
) -> Ran {
    let begin = Instant::now();
    let failed = |why: String| Ran {
        outcome: Outcome::NotDone(why),
        hung: false,
        took: begin.elapsed(),
        calls: Vec::new(),
        left: None,
    };
    let (read, write) = match nix::unistd::pipe2(OFlag::O_CLOEXEC) {
        Ok(pipe) => pipe,
        Err(e) => return failed(format!("no pipe can be made: {e}")),
    };
    if !is_possible() {
        let trace = Trace::new(File::from(write));
        let body = move || say(&trace, &check(&trace));
        let thread = match std::thread::Builder::new().name("isolator check".into()).spawn(body) {
            Ok(thread) => thread,
            Err(e) => return failed(format!("no thread can be started: {e}")),
        };
        let (mut heard, hung) = listen(read, begin + limit, None);
        let outcome = heard.outcome.take().unwrap_or_else(|| {
            Outcome::Failed(if hung { hangs(&heard, limit) } else { format!("it panicked {}", heard.place()) })
        });
        if !hung {
            let _ = thread.join();
        }
        return Ran { outcome, hung, took: begin.elapsed(), calls: heard.calls, left: None };
    }
    let sweep = Sweep::begin();
    let pid = match fork() {
        Ok(Fork::Parent(pid)) => Pid::from_raw(pid),
        Ok(Fork::Child) => {
            drop(read);
            let trace = Trace::new(File::from(write));
            let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
            // As a supervisor is: what calls leave behind is found and ended.
            let _ = nix::sys::prctl::set_child_subreaper(true);
            if let Some(signals) = signals {
                signals.let_through();
            }
            // It must not come back into the caller's frames, which are the parent's.
            let body = std::panic::AssertUnwindSafe(|| say(&trace, &check(&trace)));
            exit_now(std::panic::catch_unwind(body).map_or(101, |()| 0))
        }
        Err(e) => return failed(format!("no process can be made: {e}")),
    };
    drop(write);
    let (mut heard, hung) = listen(read, begin + limit, signals);
    let interrupted = signals.and_then(Signals::came);
    if hung || interrupted.is_some() {
        let _ = kill(pid, Signal::SIGKILL);
    }
    let status = waitpid(pid, None);
    let took = begin.elapsed();
    let outcome = heard.outcome.take().unwrap_or_else(|| {
        if let Some(signal) = interrupted {
            return Outcome::NotDone(format!("interrupted by {signal}"));
        }
        Outcome::Failed(match status {
            _ if hung => hangs(&heard, limit),
            Ok(WaitStatus::Signaled(_, signal, _)) => format!("the process died by {signal} {}", heard.place()),
            _ => format!("the process ended {}", heard.place()),
        })
    });
    Ran { outcome, hung, took, calls: heard.calls, left: Some(sweep.end()) }
}

fn hangs(heard: &Heard, limit: Duration) -> String {
    format!("it hangs {}: not done after {limit:?}", heard.place())
}

/// Hears all that is said until the outcome is known, nobody is there to say anything more, a signal, or the deadline, which is true.
fn listen(pipe: OwnedFd, deadline: Instant, signals: Option<&Signals>) -> (Heard, bool) {
    let mut heard = Heard::default();
    let mut pipe = File::from(pipe);
    let mut bytes = [0; 4096];
    while heard.outcome.is_none() {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = vec![PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        fds.extend(signals.map(|signals| PollFd::new(signals.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Ok(0) if left.is_zero() => return (heard, true),
            Ok(0) | Err(nix::Error::EINTR) => continue,
            Ok(_) | Err(_) => {}
        }
        if fds.get(1).and_then(PollFd::any).unwrap_or(false) {
            return (heard, false);
        }
        match pipe.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(n) => heard.hear(bytes.get(..n).unwrap_or_default()),
        }
    }
    (heard, false)
}

/// How long processes that are being killed (with their parent, say) are given to be gone.
const VANISHING: Duration = Duration::from_millis(300);

/// What a check leaves running: this process inherits it, finds it among its descendants and kills it.
struct Sweep {
    was_subreaper: bool,
    before: Vec<(i32, u64)>,
}

impl Sweep {
    fn begin() -> Sweep {
        let was_subreaper = nix::sys::prctl::get_child_subreaper().unwrap_or(false);
        let _ = nix::sys::prctl::set_child_subreaper(true);
        Sweep { was_subreaper, before: below_us().into_iter().map(|(pid, start, _)| (pid, start)).collect() }
    }

    /// The commands that were running, each with its pid.
    fn end(self) -> Vec<String> {
        let until = Instant::now() + VANISHING;
        let mut left = self.ours();
        while !left.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            left = self.ours();
        }
        let named = left.iter().map(|(pid, _, name)| format!("{name} ({pid})")).collect();
        let until = Instant::now() + VANISHING;
        while !left.is_empty() && Instant::now() < until {
            for (pid, ..) in &left {
                // Ours to reap, so that no other process can have the pid.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
            left = self.ours();
        }
        if !self.was_subreaper {
            let _ = nix::sys::prctl::set_child_subreaper(false);
        }
        named
    }

    /// Those that run; what has ended is reaped.
    fn ours(&self) -> Vec<(i32, u64, String)> {
        let mut all = below_us();
        all.retain(|(pid, start, _)| !self.before.contains(&(*pid, *start)) && !has_ended(*pid));
        all
    }
}

/// Whether it is a child that has ended; it is reaped then.
fn has_ended(pid: i32) -> bool {
    waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status != WaitStatus::StillAlive)
}

/// Kills what is below this process and `which` says. In a check's own process only.
pub(super) fn end_all(which: impl Fn(i32) -> bool) {
    let until = Instant::now() + VANISHING;
    loop {
        let mut left = below_us();
        left.retain(|(pid, ..)| which(*pid) && !has_ended(*pid));
        if left.is_empty() || Instant::now() > until {
            return;
        }
        for (pid, ..) in &left {
            // Its pid is its own as long as it has not been reaped, which is done here.
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn below_us() -> Vec<(i32, u64, String)> {
    let me = std::process::id() as i32;
    let tree = Proc::default().tree(me);
    tree.into_iter().filter(|s| s.pid != me).map(|s| (s.pid, s.starttime, s.comm)).collect()
}
