//! Containers that mean no good: nothing outside of their own mount namespace is ever touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{agent, change, make, mounted, task, try_change, volume};
use crate::agent::{Agent, Container, eventually, need_root, patient, skip};
use crate::refusals::assert_says;

const LINUX: &str = "filesystem/linux";

/// A container of root's that has done this to itself, and a volume that it is to be given.
#[track_caller]
fn after<'a>(agent: &'a Agent, script: &str, volumes: &[super::Volume]) -> Container<'a> {
    make(agent, "data");
    let ready = agent.path("ready");
    let _ = fs::remove_file(&ready);
    let container = task(agent, &format!("{script}\ntouch {}; sleep 1000", ready.display()), volumes).launch();
    eventually("the task has done it", || ready.exists());
    assert_eq!(container.file("stderr"), "");
    container
}

fn outside(agent: &Agent) -> PathBuf {
    let outside = agent.path("outside");
    fs::create_dir_all(&outside).unwrap();
    outside
}

/// Destroys it; on the host there must be nothing mounted, and nothing in the directory.
#[track_caller]
fn untouched(agent: &Agent, container: &Container<'_>, outside: &Path) {
    container.destroy();
    assert_eq!(mounted(agent), Vec::<String>::new());
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn a_users_link_is_not_followed() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    make(&agent, "data");
    for (link, at) in [("db", "db"), ("db", "db/in")] {
        let task = task(&agent, "true", &[volume("data", at)]);
        symlink(&outside, task.sandbox().join(link)).unwrap();
        assert_says(&task.refused(), &["persistent volume \"data\" of role \"prod\"", "db is a symbolic link"]);
    }
    let container = after(&agent, &format!("ln -s {} db", outside.display()), &[]);
    assert_says(&try_change(&container, &[volume("data", "db")]).refused(), &["db is a symbolic link"]);
    assert_says(&try_change(&container, &[volume("data", "db/in")]).refused(), &["db is a symbolic link"]);
    untouched(&agent, &container, &outside);
}

#[test]
fn a_link_that_replaces_the_mount_point_is_not_followed() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    let script =
        format!("until umount db 2> /dev/null; do sleep 0.02; done; rmdir db && ln -s {} db", outside.display());
    let container = after(&agent, &script, &[volume("data", "db")]);
    assert_says(&try_change(&container, &[]).refused(), &["db", "is not there", "may be anywhere"]);
    assert!(fs::symlink_metadata(container.path("db")).unwrap().is_symlink(), "it is the user's");
    untouched(&agent, &container, &outside);
}

#[test]
fn links_that_come_and_go_are_never_followed() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    let data = make(&agent, "data");
    fs::write(data.join("name"), "data").unwrap();
    let script = format!(
        "mkdir a; while [ ! -e end ]; do mv a b; ln -s {0} a; [ -e {0}/db/name ] && touch caught; rm a; mv b a; done",
        outside.display()
    );
    let container = task(&agent, &script, &[]).launch();
    let (mut done, mut refused) = (0, 0);
    let end = Instant::now() + patient(std::time::Duration::from_secs(3));
    while Instant::now() < end {
        for volumes in [&[volume("data", "a/db")][..], &[]] {
            match try_change(&container, volumes).status.success() {
                true => done += 1,
                false => refused += 1,
            }
        }
    }
    assert!(done > 0, "{done} done, {refused} refused");
    assert!(!container.path("caught").exists(), "the volume was seen outside of the sandbox");
    untouched(&agent, &container, &outside);
    assert_eq!(fs::read_to_string(data.join("name")).unwrap(), "data");
}

#[test]
fn a_sandbox_that_is_mounted_over_is_not_used() {
    need_root!();
    for what in ["tmpfs none", "--bind OUTSIDE"] {
        let agent = agent(LINUX);
        let outside = outside(&agent);
        let what = what.replace("OUTSIDE", outside.to_str().unwrap()).replace("tmpfs", "-t tmpfs");
        let container = after(&agent, &format!("mount {what} $MESOS_SANDBOX"), &[]);
        let said = try_change(&container, &[volume("data", "db")]).refused();
        assert_says(&said, &["is not its sandbox"]);
        untouched(&agent, &container, &outside);
    }
}

#[test]
fn a_root_that_is_mounted_over_is_not_used() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    let container = after(&agent, "mount -t tmpfs none /", &[volume("data", "db")]);
    assert_says(&try_change(&container, &[]).refused(), &["cannot open the sandbox in the container"]);
    untouched(&agent, &container, &outside);
}

#[test]
fn what_is_mounted_at_its_place_is_not_ours_to_use() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    let container = after(&agent, &format!("mkdir db && mount --bind {} db", outside.display()), &[]);
    let said = try_change(&container, &[volume("data", "db")]).refused();
    assert_says(&said, &["something is mounted there"]);
    untouched(&agent, &container, &outside);
}

#[test]
fn what_is_mounted_over_a_volume_is_not_ours_to_unmount() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    let container = after(&agent, &format!("mount --bind {} db", outside.display()), &[volume("data", "db")]);
    assert_says(&try_change(&container, &[]).refused(), &["cannot unmount", "something else is mounted"]);
    untouched(&agent, &container, &outside);
}

#[test]
fn mounts_that_are_shared_again_stay_in_the_container() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    let data = make(&agent, "data");
    fs::write(data.join("name"), "").unwrap();
    let script = "mount --make-rshared /; (await db/name; touch seen) &";
    let container = after(&agent, script, &[]);
    change(&container, &[volume("data", "db")]);
    eventually("the container sees it", || container.path("seen").exists());
    assert_eq!(mounted(&agent), Vec::<String>::new());
    change(&container, &[]);
    untouched(&agent, &container, &outside);
}

#[test]
fn nothing_is_mounted_for_who_has_gone_to_the_host() {
    need_root!();
    let agent = agent(LINUX);
    let outside = outside(&agent);
    make(&agent, "data");
    let ready = agent.path("ready");
    // That of the tests is the host's, as far as anybody here knows.
    let host = std::process::id();
    let script = format!("exec nsenter --mount=/proc/{host}/ns/mnt sh -c 'touch {}; sleep 1000'", ready.display());
    let container = task(&agent, &script, &[volume("data", "db")]).launch();
    eventually("the task has gone", || ready.exists());
    for volumes in [&[][..], &[volume("data", "other")]] {
        assert_says(&try_change(&container, volumes).refused(), &["host's mount namespace"]);
        assert_eq!(mounted(&agent), Vec::<String>::new());
    }
    untouched(&agent, &container, &outside);
}

#[test]
fn a_file_system_that_does_not_answer_is_given_up() {
    need_root!();
    if !Path::new("/dev/fuse").exists() {
        skip!("no /dev/fuse");
    }
    let agent =
        Agent::builder().flag(&format!("--isolation=posix/cpu,{LINUX}")).flag("--isolator_timeout=1secs").build();
    let outside = outside(&agent);
    // Whoever holds the descriptor is to answer, and does not.
    let script = "exec 9<>/dev/fuse; mkdir db
        mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 fuse db";
    let container = after(&agent, script, &[]);
    let begin = Instant::now();
    let said = try_change(&container, &[volume("data", "db")]).refused();
    assert_says(&said, &["took longer than 1s", "given up"]);
    assert!(begin.elapsed() < patient(std::time::Duration::from_secs(10)));
    untouched(&agent, &container, &outside);
}
