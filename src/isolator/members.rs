//! The processes of a container, read from /proc once for all isolators of a call.
#![forbid(unsafe_code)]

use super::Container;
use crate::proc::Stat;

/// The container's processes as they were when they were first asked for.
#[derive(Debug, Default)]
pub struct Members {
    /// All processes of the container.
    pub processes: Vec<Stat>,
    /// The subreaper, whose waited-for children are the container's; None for an adopted container.
    pub owner: Option<Stat>,
}

impl Container<'_> {
    /// The container's processes, read once. With the linux launcher those in its cgroups; else all below its supervisor that are not in the supervisor's own session (its helpers are,
    /// and a container process can leave its session but never join that one). Of an adopted container the first process
    /// and all below it.
    pub fn members(&self) -> &Members {
        self.members.get_or_init(|| self.members_by_now())
    }

    /// The same, read anew. A process that was in an earlier list and is in this one by the same pid and start time was the
    /// container's all the time. (Of one list alone that is not certain: a pid may become a stranger's after it was read.)
    pub fn members_by_now(&self) -> Members {
        let top = if self.adopted { self.first } else { Some(self.owner) };
        if let Some(pids) = self.cgroups.pids() {
            let owner = if self.adopted { None } else { self.proc.stat(self.owner.pid) };
            return Members {
                processes: pids.into_iter().filter_map(|pid| self.proc.stat(pid)).collect(),
                owner: owner.filter(|stat| stat.starttime == self.owner.start_time),
            };
        }
        let Some(top) = top else {
            return Members::default();
        };
        let mut tree = self.proc.tree(top.pid);
        if tree.first().is_none_or(|s| s.starttime != top.start_time) {
            return Members::default();
        }
        if self.adopted {
            return Members { processes: tree, owner: None };
        }
        let owner = tree.remove(0);
        tree.retain(|s| s.session != owner.session);
        Members { processes: tree, owner: Some(owner) }
    }
}
