//! What cannot be had, with the reason.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::bed::{self, bed};
use crate::agent::{Agent, need_root};
use crate::refusals::assert_says;

#[test]
fn there_must_be_ids_that_are_nobodys() {
    need_root!();
    let agent = Agent::builder().flag("--isolation=namespaces/user").build();
    let reason = agent.task("exit 0").refused();
    assert_says(&reason, &["namespaces/user", "--userns_range=524288-589823", "/etc/subuid"]);
    for range in ["0-65535", "1000", "100000-99999", "x-y"] {
        let reason = agent.task("exit 0").flag(&format!("--userns_range={range}")).refused();
        assert_says(&reason, &["userns_range", range, "65536"]);
    }
}

#[test]
fn without_root_there_is_none() {
    let agent = bed::builder().flag("--isolation=namespaces/user").unprivileged();
    need_root!();
    assert_says(&agent.build().task("exit 0").refused(), &["namespaces/user", "only root", "run the agent as root"]);
}

#[test]
fn the_range_must_hold_the_user() {
    let small = Agent::builder().flag("--isolation=namespaces/user").flag("--userns_range=524288-524388");
    let bed = bed!(small);
    let reason = bed.task("exit 0").user("nobody").refused();
    assert_says(&reason, &["nobody", "65534", "from 0 to 100"]);
    bed.task("exit 3").user("daemon").launch().complete().assert_status(3 << 8);
}

#[test]
fn roots_files_must_be_where_set_user_id_means_nothing() {
    let bed = bed!();
    let remounted = Command::new("mount").args(["-o", "remount,bind,suid"]).arg(&bed.work_dir).status().unwrap();
    assert!(remounted.success());
    for task in [bed.task("exit 0"), bed.task("exit 0").no_user()] {
        assert_says(&task.refused(), &["the sandbox", "nosuid", "mount --bind"]);
    }
    // What others make is theirs, or nobody's.
    let container = bed.task("cp /usr/bin/id . && chmod 6755 id && ./id -u").user("daemon").launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "1\n");
}

#[test]
fn closed_directories_above_the_sandbox_are_named() {
    let bed = bed!();
    fs::set_permissions(&bed.work_dir, fs::Permissions::from_mode(0o700)).unwrap();
    let reason = bed.task("exit 0").refused();
    assert_says(&reason, &["mode 0700", bed.work_dir.to_str().unwrap(), "chmod o+x"]);
    fs::set_permissions(&bed.work_dir, fs::Permissions::from_mode(0o711)).unwrap();
    bed.task("exit 4").launch().complete().assert_status(4 << 8);
}

#[test]
fn a_program_that_is_closed_to_others_is_explained() {
    let bed = bed!();
    let closed = bed.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::copy("/bin/true", closed.join("tool")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let tool = closed.join("tool");
    let reason = bed.program(tool.to_str().unwrap(), &["tool"]).refused();
    assert_says(&reason, &["closed/tool", "uid 524288", "open to others", "Permission denied"]);
}

#[test]
fn a_file_system_without_idmapped_mounts_is_named() {
    let bed = bed!();
    let dirs = ["lower", "upper", "job"].map(|name| bed.path(name));
    dirs.iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let work = dirs[0].join("w");
    fs::create_dir(&work).unwrap();
    let sandboxes = bed.work_dir.join("slaves");
    fs::create_dir_all(&sandboxes).unwrap();
    let options =
        format!("nosuid,lowerdir={},upperdir={},workdir={}", dirs[0].display(), dirs[1].display(), dirs[2].display());
    let overlay = ["-t", "overlay", "none", "-o", &options];
    if !Command::new("mount").args(overlay).arg(&sandboxes).output().unwrap().status.success() {
        crate::agent::skip!("an overlay cannot be mounted");
    }
    let (_, output) = bed.task("exit 0").try_launch();
    let unmounted = Command::new("umount").arg("-l").arg(&sandboxes).status().unwrap();
    assert!(unmounted.success());
    assert_says(&output.refused(), &["the sandbox", "idmapped mounts", "overlay", "Invalid argument"]);
}

#[test]
fn a_root_directory_does_not_go_with_it_yet() {
    need_root!();
    let system = crate::filesystem::root::system();
    let rootfs = format!("--default_rootfs={}", system.path().display());
    let bed = bed!(bed::builder().flag("--isolation=filesystem/linux,namespaces/user").flag(&rootfs));
    let reason = bed.task("exit 0").user("daemon").refused();
    assert_says(&reason, &["a root directory of the container's own and the isolator namespaces/user", "together yet"]);
}
