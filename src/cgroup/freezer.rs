//! Holding all that is in a cgroup still: the v1 freezer (kernel document cgroup-v1/freezer-subsystem), and `cgroup.freeze` of
//! v2 (Linux 5.2) for kernels that have no `cgroup.kill`.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::walk::walk;
use super::{Cgroup, keyed};

/// In v1: takes FROZEN and THAWED, and says how far it is.
const STATE: &str = "freezer.state";
/// In v2: takes 1 and 0; how far it is says `frozen` in `cgroup.events`.
const FREEZE: &str = "cgroup.freeze";

/// Between two looks at whether all is frozen.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// Whether this is a cgroup of a v1 freezer hierarchy: SIGKILL takes effect when it is thawed.
pub(super) fn is_v1(cgroup: &Cgroup) -> bool {
    cgroup.has(STATE)
}

/// Whether it can be frozen.
pub(super) fn can(cgroup: &Cgroup) -> bool {
    is_v1(cgroup) || cgroup.has(FREEZE)
}

/// Freezes the cgroup, waits until all of it is or patience is at its end, calls `work` with whether all is, and thaws
/// everything, also what somebody else had frozen below.
pub(super) fn while_frozen(cgroup: &Cgroup, patience: Duration, work: impl FnOnce(bool)) {
    let deadline = Instant::now() + patience;
    let v1 = is_v1(cgroup);
    let (file, on, off) = if v1 { (STATE, "FROZEN", "THAWED") } else { (FREEZE, "1", "0") };
    let all = || match v1 {
        true => cgroup.read(STATE).map(|state| state.trim() == "FROZEN"),
        false => cgroup.read("cgroup.events").map(|events| keyed(&events, "frozen") == Some(1)),
    };
    // On failure (it was removed) there is nothing to be killed, or it is found without freezing.
    let mut frozen = cgroup.write(file, on).and_then(|()| all());
    let mut pause = FIRST_PAUSE;
    while frozen.as_ref().is_ok_and(|all| !all) && Instant::now() < deadline {
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        frozen = all();
    }
    work(frozen.unwrap_or(false));
    let _ = cgroup.write(file, off);
    if v1 {
        // What cannot be reached now is reached the next time.
        let thaw = |cgroup: &Cgroup| {
            let _ = cgroup.write(STATE, off);
            Ok(())
        };
        let _ = walk(cgroup, thaw, |_, _| {});
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cgroup::kill::kill_listed;
    use crate::cgroup::{Hierarchies, MOUNTINFO, is_empty, remove};
    use std::path::Path;
    use std::process::Command;

    /// Where root may try it: all hierarchies that can freeze, v2 as if it had no `cgroup.kill`.
    #[test]
    fn what_is_killed_while_frozen_dies() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let hierarchies = Hierarchies::read(Path::new(MOUNTINFO)).unwrap();
        for hierarchy in hierarchies.v1("freezer").cloned().into_iter().chain(hierarchies.unified()) {
            let path = hierarchy.mount_point.join(format!("ecp-freezer-test-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            std::fs::create_dir(path.join("nested")).unwrap();
            let cgroup = Cgroup::open(&path).unwrap();
            let mut child = Command::new("sleep").arg("60").spawn().unwrap();
            cgroup.child("nested".as_ref()).unwrap().write("cgroup.procs", &child.id().to_string()).unwrap();
            let mut held = false;
            while_frozen(&cgroup, Duration::from_secs(5), |all| {
                held = all;
                kill_listed(&cgroup, all && is_v1(&cgroup));
            });
            let killed = !child.wait().unwrap().success();
            let empty = is_empty(&cgroup);
            remove(&path, Instant::now() + Duration::from_secs(5)).unwrap();
            assert!(held && killed && empty, "{}: {held} {killed} {empty}", path.display());
        }
    }
}
