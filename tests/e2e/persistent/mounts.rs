//! filesystem/linux: mounts in the container's namespace.

use std::fs;

use super::{agent, change, kept, make, mounted, task, try_change, volume};
use crate::agent::{Container, eventually, need_root};
use crate::refusals::assert_says;

const LINUX: &str = "filesystem/linux";

/// A loop that says what it sees in `db`, whenever that changes.
const WATCH: &str = "last=; while [ ! -e end ]; do
    if now=$(cat db/name 2>/dev/null); then :; else now=none; fi
    [ \"$now\" = \"$last\" ] || echo \"$now\" >> seen; last=$now; sleep 0.01; done";

#[track_caller]
fn sees(container: &Container<'_>, what: &str) {
    eventually(&format!("the task sees {what}"), || container.file("seen").lines().last() == Some(what));
}

#[test]
fn data_outlives_the_container() {
    need_root!();
    let agent = agent(LINUX);
    let data = make(&agent, "data");
    make(&agent, "other");
    let volumes = || [volume("data", "db"), volume("other", "deep/er/log")];
    let first = task(&agent, "echo kept > db/file; echo two > deep/er/log/file; touch ready; await end", &volumes());
    let first = first.launch();
    eventually("the task has written", || first.path("ready").exists());
    assert_eq!(mounted(&agent), Vec::<String>::new(), "on the host");
    assert_eq!(fs::read_dir(first.path("db")).unwrap().count(), 0, "in the sandbox as the host sees it");
    fs::write(first.path("end"), "").unwrap();
    first.complete().assert_status(0);
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "kept\n");
    let second = task(&agent, "cat db/file deep/er/log/file", &volumes()).launch();
    second.complete().assert_status(0);
    assert_eq!(second.file("stdout"), "kept\ntwo\n");
    assert_eq!(mounted(&agent), Vec::<String>::new());
}

#[test]
fn a_running_container_sees_volumes_come_and_go() {
    need_root!();
    let agent = agent(LINUX);
    for id in ["one", "two"] {
        fs::write(make(&agent, id).join("name"), format!("{id}\n")).unwrap();
    }
    let container = task(&agent, WATCH, &[]).launch();
    sees(&container, "none");
    change(&container, &[volume("one", "db")]);
    sees(&container, "one");
    change(&container, &[volume("one", "db"), volume("two", "more")]);
    change(&container, &[volume("two", "db")]);
    sees(&container, "two");
    assert!(!container.path("more").exists(), "the mount point is removed with the mount");
    change(&container, &[]);
    sees(&container, "none");
    assert!(!container.path("db").exists());
    assert_eq!(mounted(&agent), Vec::<String>::new());
    fs::write(container.path("end"), "").unwrap();
    container.complete().assert_status(0);
    // Where one volume takes another's place, the first is gone before the second is there: a look may fall between.
    let seen = container.file("seen").replace("one\nnone\ntwo\n", "one\ntwo\n");
    assert_eq!(seen, "none\none\ntwo\nnone\n");
}

#[test]
fn a_volume_of_the_launch_is_removed_by_update() {
    need_root!();
    let agent = agent(LINUX);
    fs::write(make(&agent, "one").join("name"), "one\n").unwrap();
    let container = task(&agent, WATCH, &[volume("one", "db")]).launch();
    sees(&container, "one");
    change(&container, &[]);
    sees(&container, "none");
    container.destroy();
}

#[test]
fn an_adopted_container_gets_volumes_too() {
    need_root!();
    let agent = agent(LINUX);
    for id in ["one", "two"] {
        fs::write(make(&agent, id).join("name"), format!("{id}\n")).unwrap();
    }
    let container = task(&agent, WATCH, &[volume("one", "db")]).launch();
    sees(&container, "one");
    agent.kill_supervisors();
    agent.restart_with_memory();
    eventually("a new supervisor", || !agent.supervisors().is_empty());
    sees(&container, "one");
    change(&container, &[volume("two", "db")]);
    sees(&container, "two");
    container.destroy();
    assert_eq!(mounted(&agent), Vec::<String>::new());
    assert!(kept(&agent, "one").join("name").exists());
}

#[test]
fn read_only_volumes() {
    need_root!();
    let agent = agent(LINUX);
    let data = make(&agent, "data");
    fs::write(data.join("file"), "old").unwrap();
    let script = "touch db/new; echo new > db/file; mount -o remount,bind,rw db; cat db/file; touch ready
        await end; echo new > db/file";
    let container = task(&agent, script, &[volume("data", "db").read_only()]).user("nobody").launch();
    eventually("the task has tried", || container.path("ready").exists());
    assert_eq!((container.file("stdout").as_str(), fs::read_dir(&data).unwrap().count()), ("old", 1));
    assert_says(&container.file("stderr"), &["Read-only file system"]);
    // The same volume for writing is another one, and theirs.
    change(&container, &[volume("data", "db")]);
    fs::write(container.path("end"), "").unwrap();
    container.complete().assert_status(0);
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "new\n");
}

#[test]
fn a_container_that_has_just_ended_is_no_failure() {
    need_root!();
    let agent = agent(LINUX);
    make(&agent, "data");
    let container = task(&agent, "true", &[]).launch();
    for _ in 0..10 {
        change(&container, &[volume("data", "db")]);
        change(&container, &[]);
    }
    container.complete().assert_status(0);
    change(&container, &[volume("data", "db")]);
}

#[test]
fn what_cannot_be_had_is_refused() {
    need_root!();
    let agent = agent(LINUX);
    let reason = task(&agent, "true", &[volume("none", "db")]).refused();
    assert_says(&reason, &["persistent volume \"none\"", "is not there"]);
    let container = task(&agent, "mkdir taken; touch file; echo $$ > pid; sleep 1000", &[]).launch();
    container.pid("pid");
    assert_says(&try_change(&container, &[volume("none", "db")]).refused(), &["is not there"]);
    make(&agent, "data");
    assert_says(&try_change(&container, &[volume("data", "file")]).refused(), &["file", "directory"]);
    // A directory is as good as a mount point of ours.
    change(&container, &[volume("data", "taken")]);
    container.destroy();
}
