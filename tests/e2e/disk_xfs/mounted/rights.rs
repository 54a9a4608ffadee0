//! Whether a container can get out of its project.

use std::fs;

use crate::agent::{Container, skip};
use crate::disk_xfs::{ENFORCE, Host, MB, builder, builder_with, id, project, resources, script, set_up};
use crate::refusals::assert_says;

/// A file that is taken out, and one that is made after the directory has been told not to pass its id on.
const LEAVE: &str =
    "PATH=$PATH:/usr/sbin; > big; xfs_io -r -c 'chproj 0' big 2>&1 | say; mkdir new; chattr -P new 2>&1 | say;
    > new/big; put big 6; put new/big 6; mark done; await go";

/// The projects of the two.
fn projects(container: &Container<'_>) -> [u32; 2] {
    ["big", "new/big"].map(|name| project(&container.path(name)))
}

fn sizes(container: &Container<'_>) -> [u64; 2] {
    ["big", "new/big"].map(|name| fs::metadata(container.path(name)).unwrap().len())
}

/// That both were tried, and refused for this reason.
#[track_caller]
fn assert_kept_in(host: &Host, container: &Container<'_>, reason: &str) {
    host.told(container, "done");
    let said = host.said(container);
    for program in ["setprojid: ", "chattr: "] {
        let is_refused = |line: &str| line.starts_with(program) && line.contains(reason);
        assert!(said.lines().any(is_refused), "{program}: {said}");
    }
    assert_eq!(projects(container), [id(container); 2]);
    assert!(sizes(container).iter().sum::<u64>() <= 2 * MB, "{said}");
}

#[test]
fn the_owner_of_a_file_can_take_it_out_unless_a_filter_forbids_it() {
    let host = match set_up(builder(&[ENFORCE]), "prjquota") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let text = script(&host, LEAVE);
    let open = host.task(&text).user("nobody").resources(resources(2.0)).launch();
    host.told(&open, "done");
    assert_eq!(projects(&open), [0; 2], "what is defended against");
    assert_eq!(sizes(&open), [6 * MB; 2]);
    let other = builder_with("disk/xfs,linux/seccomp", &[ENFORCE]).same_as(&host, &host.work_dir).build();
    let closed = other.task(&text).user("nobody").resources(resources(2.0)).launch();
    assert_kept_in(&host, &closed, "Operation not permitted");
    open.destroy();
    closed.destroy();
    host.assert_nothing_left();
}

#[test]
fn a_user_namespace_keeps_it_in() {
    let flags = [ENFORCE, "--userns_range=524288-589823"];
    let host = match set_up(builder_with("disk/xfs,namespaces/user", &flags), "prjquota,nosuid") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let container = host.task(&script(&host, LEAVE)).user("nobody").resources(resources(2.0)).launch();
    assert_kept_in(&host, &container, "Invalid argument");
    container.destroy();
}

#[test]
fn who_has_taken_the_sandbox_out_gets_no_new_quota() {
    let host = match set_up(builder(&[ENFORCE]), "prjquota") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let update = |command: &str| {
        let script = script(&host, &format!("PATH=$PATH:/usr/sbin; {command} .; mark done; await go"));
        let container = host.task(&script).resources(resources(2.0)).launch();
        host.told(&container, "done");
        let update = crate::agent::messages::update(&container.id, &resources(8.0)).record();
        let reason = container.invoke("update").record(update).run().refused();
        container.destroy();
        reason
    };
    let reason = update("xfs_io -r -c 'chproj 5003'");
    assert_says(&reason, &["somebody has changed the project id", "from 5000 to 5003"]);
    assert_says(&update("chattr -P"), &["somebody has taken from", "its quota does not hold any more"]);
    host.assert_nothing_left();
}
