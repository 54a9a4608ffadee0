//! No room for the state: an error with the reason, nothing half done, and no status lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::agent::{Agent, eventually, need_root};
use crate::refusals::assert_says;

/// A tiny file system of this test's own, unmounted at its end.
pub(crate) struct Tiny(PathBuf);

impl Tiny {
    pub(crate) fn mount(at: &Path) -> Tiny {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs"]).arg(at).status();
        assert!(mounted.unwrap().success());
        Tiny(at.to_owned())
    }

    pub(crate) fn fill(&self) {
        let chunk = [b'x'; 4096];
        for number in 0.. {
            if fs::write(self.0.join(format!("fill-{number}")), chunk).is_err() {
                break;
            }
        }
    }

    pub(crate) fn empty(&self) {
        for entry in fs::read_dir(&self.0).unwrap().flatten() {
            if entry.file_name().to_str().unwrap().starts_with("fill-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_launch_without_room_is_refused_and_the_next_one_works() {
    need_root!();
    let agent = Agent::new();
    let tiny = Tiny::mount(&agent.runtime_dir);
    assert!(agent.containers().is_empty());
    tiny.fill();
    let reason = agent.task("touch ran").refused();
    assert_says(&reason, &["No space left on device", agent.runtime_dir.to_str().unwrap()]);
    agent.assert_nothing_left();
    tiny.empty();
    agent.task("exit 3").launch().complete().assert_status(3 << 8);
}

#[test]
fn a_status_is_kept_until_there_is_room_for_it() {
    need_root!();
    let agent = Agent::new();
    let tiny = Tiny::mount(&agent.runtime_dir);
    let container = agent.task("while ! test -e go; do sleep 0.02; done; exit 3").launch();
    tiny.fill();
    let mut wait = container.spawn_wait();
    fs::write(container.path("go"), "").unwrap();
    wait.assert_running_for(std::time::Duration::from_millis(700));
    assert_eq!(agent.containers(), [container.id.as_str()]);
    tiny.empty();
    wait.finish().termination().assert_status(3 << 8);
    container.note_end();
    agent.assert_nothing_left();
}

#[test]
fn a_container_can_be_destroyed_without_room() {
    need_root!();
    let agent = Agent::new();
    let tiny = Tiny::mount(&agent.runtime_dir);
    let container = agent.task("sleep 1000").launch();
    tiny.fill();
    let destroy = container.invoke("destroy").spawn();
    eventually("its processes are gone", || container.processes().is_empty());
    // It ends when there is room for the record of it.
    tiny.empty();
    destroy.finish().ok();
    agent.assert_nothing_left();
}
