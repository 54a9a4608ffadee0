//! Whose the files of the sandbox are, inside and on the disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::bed::{FIRST, bed};
use crate::agent::container::AWAIT_GO;
use crate::agent::eventually;

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

#[test]
fn files_are_the_users_on_the_disk_and_inside() {
    let bed = bed!();
    for (user, id) in [("root", (0, 0)), ("daemon", (1, 1)), ("nobody", (65534, 65534))] {
        let script = "echo > made; stat -c '%u:%g' . given made stdout; echo more >> given; mkdir d; mv given d/moved";
        let task = bed.task(script).user(user);
        fs::write(task.sandbox().join("given"), "given\n").unwrap();
        let container = task.launch();
        container.complete().assert_status(0);
        let (uid, gid) = id;
        let own = format!("{uid}:{gid}\n");
        // The agent's chown leaves them the group root, which only root has inside.
        let given = if gid == 0 { own.clone() } else { format!("{uid}:65534\n") };
        assert_eq!(container.file("stdout"), format!("{given}{given}{own}{own}"), "{user}");
        for name in ["made", "d", "stdout", "stderr"] {
            assert_eq!(owner(&container.path(name)), id, "{user}: {name}");
        }
        for name in ["", "d/moved"] {
            assert_eq!(owner(&container.path(name)), (uid, 0), "{user}: {name}");
        }
        assert_eq!(container.file("d/moved"), "given\nmore\n");
    }
}

#[test]
fn files_of_other_users_inside_are_nobodys_on_the_disk() {
    let bed = bed!();
    let task = bed
        .task(&format!("{AWAIT_GO}; echo > a; chown 33:34 a; stat -c %u:%g a theirs; chown 70000 a; echo $? > said"));
    let container = task.launch();
    // Later than the agent's chown.
    fs::write(container.path("theirs"), "").unwrap();
    chown(container.path("theirs"), Some(FIRST + 5), Some(7)).unwrap();
    container.go();
    eventually("it has been tried", || container.file("said") == "1\n");
    assert_eq!(container.file("stdout"), "33:34\n5:65534\n");
    assert!(container.file("stderr").contains("Invalid argument"), "{}", container.file("stderr"));
    assert_eq!(owner(&container.path("a")), (FIRST + 33, FIRST + 34));
    container.complete().assert_status(0);
}

#[test]
fn output_can_be_opened_once_more_by_its_name() {
    let bed = bed!();
    for user in ["root", "nobody"] {
        let script = "echo one; echo two >> /dev/stdout; echo three >> /proc/self/fd/1; echo e > /dev/stderr; echo four >> stdout";
        let container = bed.task(script).user(user).launch();
        container.complete().assert_status(0);
        assert_eq!(
            (container.file("stdout"), container.file("stderr")),
            ("one\ntwo\nthree\nfour\n".into(), "e\n".into())
        );
    }
}

#[test]
fn set_user_id_programs_of_the_host_give_nothing() {
    let bed = bed!();
    let programs = bed.path("programs");
    fs::create_dir(&programs).unwrap();
    for (name, owner, mode) in [("of-root", 0, 0o4755), ("of-range", FIRST, 0o4755), ("plain", 0, 0o755)] {
        let path = programs.join(name);
        let status = Command::new("install").args(["/usr/bin/id"]).arg(&path).status().unwrap();
        assert!(status.success());
        chown(&path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let run = |name: &str| format!("{}/{name} -u", programs.display());
    let bare = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "sh", "-c", &run("of-root")])
        .output()
        .unwrap();
    if bare.stdout != b"0\n" {
        crate::agent::skip!("/tmp is on a mount with nosuid");
    }
    let script = ["of-root", "of-range", "plain"].map(run).join(";");
    let container = bed.task(&script).user("nobody").launch();
    container.complete().assert_status(0);
    // What belongs to root inside is as good as anywhere: nobody outside can have made it.
    assert_eq!(container.file("stdout"), "65534\n0\n65534\n");
}

#[test]
fn the_host_sees_no_mounts_and_owns_its_sandbox() {
    let bed = bed!();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let container = bed.task("mkdir m; echo x > m/x; echo up; sleep 1000").user("nobody").launch();
    container.line("stdout");
    let here = container.path("").display().to_string();
    let now = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let own = |text: &str| text.lines().filter(|line| line.contains(here.trim_end_matches('/'))).count();
    assert_eq!((own(&before), own(&now)), (0, 0));
    // As the agent does before every call.
    let chowned = Command::new("chown").args(["-R", "nobody"]).arg(container.path("")).status().unwrap();
    assert!(chowned.success());
    fs::remove_dir_all(container.path("m")).unwrap();
    container.destroy();
}
