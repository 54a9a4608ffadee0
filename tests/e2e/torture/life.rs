//! One container, and what is known of what must become of it.

use crate::agent::container::AWAIT_GO;
use crate::agent::messages::Termination;
use crate::agent::{Agent, Call, Container, Task};

use super::random::Random;

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Ends by itself at once.
    Ends,
    /// Ends when it is told to.
    Waits,
    /// Never ends by itself; has processes in sessions of their own.
    Stays,
}

pub struct Life<'a> {
    pub container: Container<'a>,
    pub kind: Kind,
    pub code: i32,
    /// The agent's call that waits for its end.
    pub wait: Option<Call<'a>>,
    /// Its pid 1 is `mesos-ecp-init`, which keeps the status.
    pub has_init: bool,
    /// It has been told to end.
    pub told: bool,
    /// Somebody has killed its first process.
    pub shot: bool,
    /// Its supervisor, or a call that may have become its owner, was killed: the status may be lost.
    pub orphaned: bool,
    /// destroy was asked for, and did it.
    pub destroyed: bool,
    /// A destroy was killed on its way.
    pub perhaps_destroyed: bool,
}

pub fn task<'a>(agent: &'a Agent, random: &mut Random) -> (Task<'a>, Kind, i32) {
    let kind = random.weighted(&[(3, Kind::Ends), (4, Kind::Waits), (3, Kind::Stays)]);
    let code = random.below(120) as i32;
    let crowd = "setsid sleep 1000 & (sleep 1000 & sleep 1000) &";
    let script = match kind {
        Kind::Ends => format!("exit {code}"),
        Kind::Waits if random.below(2) == 0 => format!("{crowd} {AWAIT_GO}; exit {code}"),
        Kind::Waits => format!("{AWAIT_GO}; exit {code}"),
        Kind::Stays => format!("{crowd} sleep 1000"),
    };
    (agent.task(&script), kind, code)
}

impl Life<'_> {
    /// Whether it must come to an end without anything more being done.
    pub fn ends(&self) -> bool {
        self.told || self.shot || self.destroyed || self.kind == Kind::Ends
    }

    /// Whether nobody may wonder that it has ended.
    pub fn may_end(&self) -> bool {
        self.ends() || self.perhaps_destroyed
    }

    /// For the message of a violation.
    pub fn describe(&self) -> String {
        let Life { container, kind, told, shot, orphaned, destroyed, perhaps_destroyed, .. } = self;
        let processes = container.processes();
        let named: Vec<_> =
            processes.iter().map(|p| format!("{} of {}: {}", p.pid, p.parent, p.command_line())).collect();
        format!(
            "{} ({kind:?}, told {told}, shot {shot}, orphaned {orphaned}, destroyed {destroyed}, perhaps {perhaps_destroyed}), its processes {named:?}, its log: {}",
            container.id,
            container.log()
        )
    }

    /// Fails unless this is a true answer.
    pub fn judge(&self, end: &Termination, what: &str) {
        assert!(!end.killed && end.reasons.is_empty(), "{what}: no limit was set: {end:?}");
        let own = (self.kind == Kind::Ends || self.told).then_some(self.code << 8);
        match end.status {
            Some(status) => {
                let killed = (self.shot || self.destroyed || self.perhaps_destroyed) && status == 9;
                assert!(Some(status) == own || killed, "{what}: status {status:#x}, and {own:?} or a kill was to come");
            }
            None => assert!(
                self.orphaned && !self.has_init,
                "{what}: the status is lost, though nobody of ours was killed: {end:?}: {}",
                self.describe()
            ),
        }
    }
}
