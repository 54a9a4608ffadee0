//! The sessions of an agent's calls under way, by which their processes are told from those that look after containers.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::processes::Process;

#[derive(Default)]
pub struct Sessions(Mutex<BTreeSet<i32>>);

impl Sessions {
    /// Starts a call by `spawn`, which gives its session. Nobody sees the process before its session is known.
    pub fn begin<T>(&self, spawn: impl FnOnce() -> (i32, T)) -> T {
        let mut all = self.0.lock().unwrap();
        let (session, started) = spawn();
        all.insert(session);
        started
    }

    pub fn end(&self, session: i32) {
        self.0.lock().unwrap().remove(&session);
    }

    /// Those of the processes found by `look` that are in none of the sessions, neither before the look nor after it.
    pub fn outside(&self, look: impl FnOnce() -> Vec<Process>) -> Vec<Process> {
        let mut sessions = self.0.lock().unwrap().clone();
        let mut found = look();
        sessions.extend(self.0.lock().unwrap().iter());
        found.retain(|process| !sessions.contains(&process.session));
        found
    }
}
