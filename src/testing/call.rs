//! The calls of the contract, and who hears of them while they are made.
#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

/// A call of [`Isolator`](crate::isolator::Isolator).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `probe`
    Probe,
    /// `plan`
    Plan,
    /// `prepare`
    Prepare,
    /// `isolate`
    Isolate,
    /// `watch`, and `ready` behind it
    Watch,
    /// `update`
    Update,
    /// `usage`
    Usage,
    /// `recover`
    Recover,
    /// `verdict`
    Verdict,
    /// `cleanup`
    Cleanup,
}

impl Call {
    /// All of them, in the order of a container's life.
    pub const ALL: [Call; 10] = [
        Call::Probe,
        Call::Plan,
        Call::Prepare,
        Call::Isolate,
        Call::Watch,
        Call::Update,
        Call::Usage,
        Call::Recover,
        Call::Verdict,
        Call::Cleanup,
    ];

    /// As in the trait.
    pub const fn name(self) -> &'static str {
        match self {
            Call::Probe => "probe",
            Call::Plan => "plan",
            Call::Prepare => "prepare",
            Call::Isolate => "isolate",
            Call::Watch => "watch",
            Call::Update => "update",
            Call::Usage => "usage",
            Call::Recover => "recover",
            Call::Verdict => "verdict",
            Call::Cleanup => "cleanup",
        }
    }

    pub(super) fn named(name: &str) -> Option<Call> {
        Call::ALL.into_iter().find(|call| call.name() == name)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The pipe by which whoever runs a check hears of each call when it begins and when it ends: if it never ends, or takes the
/// process with it, that says which it was.
#[derive(Debug)]
pub(super) struct Trace(File);

impl Trace {
    pub(super) fn new(pipe: File) -> Trace {
        Trace(pipe)
    }

    /// A line is written as a whole. Nobody is there to read it any more: then nobody wants it.
    pub(super) fn line(&self, text: &str) {
        let _ = (&self.0).write_all(format!("{}\n", text.replace('\n', "; ")).as_bytes());
    }

    pub(super) fn begin(&self, call: Call) {
        self.line(&format!("B{call}"));
    }

    pub(super) fn end(&self, call: Call, took: Duration) {
        self.line(&format!("E{call} {}", took.as_nanos()));
    }
}
