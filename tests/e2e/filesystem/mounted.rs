//! Mounts inside and outside: nothing of the container's is seen outside, and what the host mounts and unmounts reaches it.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{RO, RW, linux, mounts_of_the_host, open_directory, volume, volumes};
use crate::agent::container::AWAIT_GO;
use crate::agent::{eventually, need_root, skip};

/// A tmpfs of the test's own, mounted until this is dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn new(path: &Path, shared: bool) -> Tmpfs {
        mount(Some("ecp-test"), path, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
        let made = Tmpfs(path.to_owned());
        let kind = if shared { MsFlags::MS_SHARED } else { MsFlags::MS_PRIVATE };
        mount(None::<&str>, path, None::<&str>, kind, None::<&str>).unwrap();
        made
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Mounts of a test reach the program only in the mount namespace of pid 1, where every verb goes.
fn sees_our_mounts() -> bool {
    // Where a mount has one number, it is one mount. (The namespace of pid 1 may be closed even to root.)
    let first = |file: &str| std::fs::read_to_string(file).unwrap().lines().next().map(str::to_owned);
    first("/proc/self/mountinfo") == first("/proc/1/mountinfo")
}

#[test]
fn nothing_is_seen_outside_and_the_agents_chown_stays_outside() {
    need_root!();
    let agent = linux().build();
    let source = open_directory(&agent, "source", "x");
    let list = [
        volume(&source, "data", RO),
        volume(&source, "rw", RW),
        volume("private", agent.path("work").join("x").to_str().unwrap(), RW),
    ];
    std::fs::create_dir(agent.path("work/x")).unwrap();
    let container = agent
        .task(&format!("grep -c {} /proc/self/mountinfo > inside; {AWAIT_GO}", source))
        .user("nobody")
        .edit(volumes(&list))
        .launch();
    // Two of the three are of the source.
    assert_eq!(container.line("inside"), "2");
    assert!(mounts_of_the_host(&agent).is_empty());
    assert_eq!(std::fs::read_dir(container.path("data")).unwrap().count(), 0, "the volume is seen outside");
    // As the agent does, and this one must succeed in full.
    let chown = Command::new("chown").args(["-R", "nobody"]).arg(container.path("")).output().unwrap();
    assert!(chown.status.success(), "{}", String::from_utf8_lossy(&chown.stderr));
    container.usage();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(agent.path("source/content")).unwrap());
    assert_eq!(owner, 0, "the agent's chown reached the volume");
    container.go();
    container.complete().assert_status(0);
    assert!(mounts_of_the_host(&agent).is_empty());
    agent.assert_nothing_left();
}

#[test]
fn read_only_holds_for_what_is_mounted_below() {
    need_root!();
    if !sees_our_mounts() {
        skip!("pid 1 is in another mount namespace");
    }
    let agent = linux().build();
    let source = open_directory(&agent, "source", "x");
    std::fs::create_dir(agent.path("source/sub")).unwrap();
    let _sub = Tmpfs::new(&agent.path("source/sub"), false);
    std::fs::write(agent.path("source/sub/below"), "there\n").unwrap();
    let script = "cat data/sub/below
        touch data/sub/made 2>&1
        touch data/made 2>&1
        mount -o remount,bind,rw data/sub 2>/dev/null && touch data/sub/as-root-made-it";
    // A root without limits may change its own mounts; another user may not.
    let container = agent.task(script).user("nobody").edit(volumes(&[volume(&source, "data", RO)])).launch();
    container.wait();
    let said = container.file("stdout");
    assert!(said.starts_with("there\n") && said.matches("Read-only file system").count() == 2, "{said}");
    assert!(!agent.path("source/sub/made").exists() && !agent.path("source/sub/as-root-made-it").exists());
    container.note_end();
}

#[test]
fn what_the_host_unmounts_goes_and_nothing_comes_back() {
    need_root!();
    if !sees_our_mounts() {
        skip!("pid 1 is in another mount namespace");
    }
    let agent = linux().build();
    let source = agent.path("source");
    std::fs::create_dir(&source).unwrap();
    let _shared = Tmpfs::new(&source, true);
    for name in ["early", "late", "own"] {
        std::fs::create_dir(source.join(name)).unwrap();
    }
    let early = Tmpfs::new(&source.join("early"), true);
    std::fs::write(source.join("early/file"), "").unwrap();
    let script = "mount -t tmpfs own data/own && touch data/own/file || exit 9
        until [ -e stop ]; do ls data/early data/late > now; mv now list; sleep 0.02; done";
    let container = agent.task(script).edit(volumes(&[volume(source.to_str().unwrap(), "data", RW)])).launch();
    eventually("the container sees what was mounted before", || container.file("list").contains("early:\nfile\n"));
    assert!(!source.join("own/file").exists(), "a mount of the container's came out");
    drop(early);
    eventually("what the host unmounts is gone", || !container.file("list").contains("file"));
    let _late = Tmpfs::new(&source.join("late"), false);
    std::fs::write(source.join("late/later"), "").unwrap();
    eventually("what the host mounts comes", || container.file("list").contains("late:\nlater\n"));
    std::fs::write(container.path("stop"), "").unwrap();
    container.complete().assert_status(0);
}
