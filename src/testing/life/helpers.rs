//! What calls have started and left running, in a check that is a process of its own: the containerizer ends it with the container, or
//! when it takes over from a dead process.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::Life;
use crate::testing::apart;

/// The first processes of all containers of this process.
static FIRST: Mutex<Vec<i32>> = Mutex::new(Vec::new());

pub(super) fn keep(pid: i32) {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
}

pub(super) fn forget(pid: i32) {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != pid);
}

/// Those that calls about some container have left, each with its start.
static LEFT: Mutex<Vec<(i32, u64)>> = Mutex::new(Vec::new());

impl Life<'_> {
    /// Whether this process is a check's own, and all below it of its making.
    fn is_alone(&self) -> bool {
        self.trace.is_some() && apart::is_possible()
    }

    /// Notes what the call that was just made has left running.
    pub(super) fn note_helpers(&self) {
        if !self.is_alone() {
            return;
        }
        let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let running = apart::below_us().into_iter().map(|(pid, start, _)| (pid, start));
        let new: Vec<(i32, u64)> = running.filter(|one| !first.contains(&one.0) && !left.contains(one)).collect();
        left.extend(&new);
        self.helpers.borrow_mut().extend(new);
    }

    /// Kills what calls about this container have left, where this is no test among others. Without another container it is all that
    /// there is.
    pub(in crate::testing) fn end_helpers(&self) {
        if !self.is_alone() {
            return;
        }
        let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = self.held.as_ref().map(|child| child.id() as i32);
        if first.iter().all(|pid| Some(*pid) == own) {
            apart::end_all(|pid| !first.contains(&pid));
            return;
        }
        let helpers = self.helpers.take().into_iter().filter(|(pid, start)| self.proc.start_time(*pid) == Some(*start));
        let below: Vec<i32> = helpers.flat_map(|(pid, _)| self.proc.tree(pid)).map(|one| one.pid).collect();
        apart::end_all(|pid| below.contains(&pid));
    }
}
