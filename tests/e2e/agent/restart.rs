//! The agent's death and return.

use std::collections::BTreeMap;
use std::fs;

use super::{Agent, Call, Container};

/// What the agent found when it came back.
pub struct Recovered<'a> {
    /// What `containers` listed, sorted.
    pub listed: Vec<String>,
    /// The new waits for those that it remembers, by id.
    pub waits: BTreeMap<String, Call<'a>>,
    /// Those that it did not remember: destroyed.
    pub orphans: Vec<String>,
    /// Those that it remembers, but that were not listed.
    pub lost: Vec<String>,
}

impl<'a> Recovered<'a> {
    /// The new wait for this container.
    #[track_caller]
    pub fn wait(&mut self, container: &Container) -> Call<'a> {
        let wait = self.waits.remove(&container.id);
        wait.unwrap_or_else(|| panic!("{} was not listed: {:?}", container.id, self.listed))
    }
}

impl Agent {
    /// Comes back with what it has checkpointed. The waits from before are the test's to orphan or to kill.
    #[track_caller]
    pub fn restart_with_memory(&self) -> Recovered<'_> {
        self.invoke("recover").run().ok();
        let listed = self.containers();
        let known = self.known.lock().unwrap().clone();
        let mut waits = BTreeMap::new();
        let mut orphans = Vec::new();
        for id in &listed {
            let Some(container) = known.get(id) else {
                orphans.push(id.clone());
                continue;
            };
            let wait = self.about("wait", id).sandbox(&container.sandbox, container.user.as_deref());
            waits.insert(id.clone(), wait.spawn());
        }
        // All at once, without a sandbox; the agent goes on when these waits have returned.
        let start = |id: &String| (self.about("wait", id).spawn(), self.about("destroy", id).spawn());
        let calls: Vec<_> = orphans.iter().map(start).collect();
        for (wait, destroy) in calls {
            destroy.finish().ok();
            wait.finish().termination();
        }
        let lost = known.keys().filter(|id| !listed.contains(id)).cloned().collect();
        Recovered { listed, waits, orphans, lost }
    }

    /// Comes back after its checkpoints were removed, so that it remembers nothing.
    #[track_caller]
    pub fn restart_without_memory(&self) -> Recovered<'_> {
        self.known.lock().unwrap().clear();
        let _ = fs::remove_dir_all(self.work_dir.join("meta"));
        self.restart_with_memory()
    }
}
