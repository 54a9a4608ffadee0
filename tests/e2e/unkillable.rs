//! A process that SIGKILL does not end at once: asleep in the kernel or, as here, in a frozen cgroup.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::agent::{Agent, eventually, need_root, patient, skip};
use crate::refusals::assert_says;

pub const FREEZER: &str = "/sys/fs/cgroup/freezer";

/// A freezer cgroup of this test's own, thawed and removed at its end.
pub struct Freezer(PathBuf);

impl Freezer {
    pub fn freeze(pid: i32) -> Freezer {
        let path = PathBuf::from(FREEZER).join(format!("ecp-e2e-{pid}"));
        fs::create_dir(&path).unwrap();
        let freezer = Freezer(path);
        fs::write(freezer.0.join("cgroup.procs"), pid.to_string()).unwrap();
        freezer.state("FROZEN");
        eventually("the process is frozen", || {
            fs::read_to_string(freezer.0.join("freezer.state")).unwrap().trim() == "FROZEN"
        });
        freezer
    }

    pub fn state(&self, state: &str) {
        fs::write(self.0.join("freezer.state"), state).unwrap();
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("freezer.state"), "THAWED");
        let begin = Instant::now();
        while fs::remove_dir(&self.0).is_err() && begin.elapsed() < patient(Duration::from_secs(5)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn destroy_gives_up_in_time_and_the_supervisor_does_not() {
    need_root!();
    if !PathBuf::from(FREEZER).join("cgroup.procs").exists() {
        skip!("there is no v1 freezer hierarchy at /sys/fs/cgroup/freezer");
    }
    let agent = Agent::builder().flag("--cgroups_destroy_timeout=1secs").build();
    let container = agent.task("echo $$ > pid; exec sleep 1000").launch();
    let wait = container.spawn_wait();
    let pid = container.pid("pid");
    let freezer = Freezer::freeze(pid);

    let begin = Instant::now();
    let reason = container.invoke("destroy").run().refused();
    assert!(begin.elapsed() < patient(Duration::from_secs(6)), "{:?}", begin.elapsed());
    assert_says(&reason, &[&format!("pid {pid}"), "sleep", "--cgroups_destroy_timeout"]);
    let end = wait.finish_within(Duration::from_secs(6)).termination();
    assert_eq!((end.killed, end.status), (false, None));
    assert_says(&end.message, &[&format!("pid {pid}")]);
    assert_eq!(agent.containers(), [container.id.as_str()], "it is still there, so it is listed");

    freezer.state("THAWED");
    eventually("the supervisor finishes", || agent.containers().is_empty());
    agent.assert_nothing_left();
}
