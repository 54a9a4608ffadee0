//! `namespaces/ipc`: shared memory of the container's own.

use std::fs;
use std::process::Command;

use super::{agent, host_mounts, inside, of, ours};
use crate::agent::need_root;

/// A segment of System V shared memory, removed when dropped.
struct Segment(String);

impl Segment {
    fn new() -> Segment {
        let made = Command::new("ipcmk").args(["-M", "4096"]).output().unwrap();
        Segment(String::from_utf8(made.stdout).unwrap().rsplit(' ').next().unwrap().trim().to_owned())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        Command::new("ipcrm").args(["-m", &self.0]).status().unwrap();
    }
}

#[test]
fn neither_side_sees_the_others() {
    need_root!();
    let agent = agent("namespaces/ipc");
    let mounts = host_mounts();
    let _segment = Segment::new();
    let name = format!("/dev/shm/ecp-e2e-{}", std::process::id());
    fs::write(&name, "").unwrap();
    let look = "tail -n +2 /proc/sysvipc/shm | wc -l > segments; ls -A /dev/shm | wc -l > files; stat -c '%a %u' /dev/shm > mode; \
                echo x > /dev/shm/of-the-container; grep \" $(stat -c %Hd:%Ld /dev/shm) / /dev/shm \" /proc/self/mountinfo > mount; exec sleep 1000";
    let container = agent.task(look).user("nobody").launch();
    container.line("mount");
    fs::remove_file(name).unwrap();
    assert_eq!(container.line("segments").trim(), "0");
    assert_eq!(container.line("files").trim(), "0");
    assert_eq!(container.line("mode"), "1777 0");
    let mount = container.line("mount");
    assert!(mount.contains("nosuid,nodev") && mount.contains(" - tmpfs "), "{mount}");
    assert!(!fs::exists("/dev/shm/of-the-container").unwrap());
    let first = inside(&container, container.first_pid()).pid.to_string();
    assert_ne!(of(&first, "ipc"), ours("ipc"));
    assert_eq!(of(&first, "pid"), ours("pid"), "not asked for");
    assert_eq!(host_mounts(), mounts);
    container.destroy();
    agent.assert_nothing_left();
}
