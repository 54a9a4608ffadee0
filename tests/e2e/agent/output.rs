//! What became of a call, and what it must have been.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::Profile;
use super::messages::{Statistics, Termination, containers};
use super::wire::Message;

/// What became of a call.
#[derive(Clone, Debug)]
pub struct Output {
    /// Whose call it was.
    pub profile: &'static Profile,
    pub verb: String,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// From the start of the call to the end of its output.
    pub duration: Duration,
}

impl Output {
    /// Fails the test unless the call exited with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status.code(), Some(0), "{} failed ({}): {}", self.verb, self.status, self.stderr);
        self
    }

    /// Fails the test unless the call exited with 1, a reason and no record; gives the reason.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.status.code(), Some(1), "{} was to fail ({}): {}", self.verb, self.status, self.stderr);
        assert!(self.status.signal().is_none() && self.stdout.is_empty(), "{self:?}");
        let prefix = format!("mesos-ecp: {}: ", self.verb);
        let said = self.stderr.lines().any(|line| line.starts_with(&prefix) && !line.contains(": warning: "));
        assert!(said, "{} failed without a reason, or not in the usual form: {:?}", self.verb, self.stderr);
        self.stderr
    }

    /// The one record that was written.
    #[track_caller]
    pub fn message(self) -> Message {
        Message::of_record(&self.ok().stdout)
    }

    #[track_caller]
    pub fn termination(self) -> Termination {
        let endings = self.profile.endings;
        Termination::of(&self.message(), endings)
    }

    #[track_caller]
    pub fn statistics(self) -> Statistics {
        Statistics::of(self.message())
    }

    #[track_caller]
    pub fn containers(self) -> Vec<String> {
        containers(&self.message())
    }
}
