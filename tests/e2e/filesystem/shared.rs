//! filesystem/shared: volumes over what the host has.

use std::os::unix::fs::MetadataExt;

use super::{RO, RW, open_directory, volume, volumes};
use crate::agent::{Agent, Builder, eventually, need_root};
use crate::refusals::assert_says;

fn shared() -> Builder {
    Agent::builder().flag("--isolation=filesystem/shared")
}

#[test]
fn a_private_tmp() {
    need_root!();
    let agent = shared().outside_tmp().build();
    let probe = format!("/tmp/{}", agent.path("").file_name().unwrap().to_str().unwrap());
    let script = format!("ls -A /tmp | wc -l; stat -c '%U %G %a' /tmp; touch {probe}; pwd; ls -d $MESOS_SANDBOX");
    let task = agent.task(&script).user("nobody").edit(volumes(&[volume("./.private/tmp", "/tmp", RW)]));
    let sandbox = task.sandbox();
    let container = task.launch();
    // The agent's next call gives the sandbox, and this in it, to the user.
    eventually("all four lines", || container.file("stdout").lines().count() == 4);
    container.complete().assert_status(0);
    let host = std::fs::metadata("/tmp").unwrap();
    let mode = host.mode() & 0o7777;
    let sandbox = sandbox.display();
    assert_eq!(container.file("stdout"), format!("0\nroot root {mode:o}\n{sandbox}\n{sandbox}\n"));
    assert!(!std::path::Path::new(&probe).exists(), "the file is in the host's /tmp");
    assert!(container.path(".private").join(&probe[1..]).exists());
    agent.assert_nothing_left();
}

#[test]
fn absolute_paths_read_only_and_not() {
    need_root!();
    let agent = shared().build();
    let (source, ro, rw) = (
        open_directory(&agent, "source", "of the source"),
        open_directory(&agent, "ro", "hidden"),
        open_directory(&agent, "rw", "hidden"),
    );
    let list = [volume(&source, &ro, RO), volume(&source, &rw, RW)];
    let script = format!("cat {ro}/content {rw}/content; touch {ro}/x 2>/dev/null; echo $?; touch {rw}/y; echo $?");
    let container = agent.task(&script).user("nobody").edit(volumes(&list)).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "of the source\nof the source\n1\n0\n");
    assert!(agent.path("source/y").exists() && !agent.path("source/x").exists() && !agent.path("rw/y").exists());
}

#[test]
fn without_volumes_there_is_no_mount_namespace() {
    need_root!();
    let agent = shared().build();
    let container = agent.task("readlink /proc/self/ns/mnt").launch();
    container.complete().assert_status(0);
    let host = std::fs::read_link("/proc/self/ns/mnt").unwrap();
    assert_eq!(container.file("stdout").trim(), host.to_str().unwrap());
}

#[test]
fn what_only_filesystem_linux_has_is_refused() {
    need_root!();
    let agent = shared().build();
    let source = open_directory(&agent, "source", "x");
    let inner = open_directory(&agent, "source/inner", "x");
    let missing = agent.path("missing").to_str().unwrap().to_owned();
    for (list, says) in [
        (vec![volume(&source, "data", RW)], "filesystem/shared does not know"),
        (vec![volume("data", &source, RW), volume("more", &inner, RW)], "is within the other"),
        (vec![volume("more", &inner, RW), volume("data", &source, RW)], "is within the other"),
        (vec![volume(&source, &missing, RW)], "does not exist on this host"),
        (vec![volume(&missing, &source, RW)], "does not exist on this host"),
        (vec![volume("data", "/proc/sys", RW)], "in the kernel's /proc"),
    ] {
        let reason = agent.task("touch ran").edit(volumes(&list)).refused();
        assert_says(&reason, &["isolator filesystem/shared", says]);
    }
}

#[test]
fn without_root_it_is_refused() {
    need_root!();
    let agent = shared().unprivileged().build();
    assert_says(&agent.task("true").refused(), &["filesystem/shared", "only root"]);
}
