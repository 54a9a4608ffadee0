//! Whether a container can get out of its project.

use std::fs;

use crate::agent::skip;
use crate::disk_xfs::{ENFORCE, MB, builder, builder_with, id, project, resources, script, set_up};
use crate::refusals::assert_says;

const LEAVE: &str = "PATH=$PATH:/usr/sbin; > big; xfs_io -r -c 'chproj 0' big; put big 6; mark done; await go";

#[test]
fn the_owner_of_a_file_can_take_it_out_unless_a_filter_forbids_it() {
    let host = match set_up(builder(&[ENFORCE]), "prjquota") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let text = script(&host, LEAVE);
    let open = host.task(&text).user("nobody").resources(resources(2.0)).launch();
    host.told(&open, "done");
    assert_eq!(project(&open.path("big")), 0, "what is defended against");
    assert_eq!(fs::metadata(open.path("big")).unwrap().len(), 6 * MB);
    let other = builder_with("disk/xfs,linux/seccomp", &[ENFORCE]).same_as(&host, &host.work_dir).build();
    let closed = other.task(&text).user("nobody").resources(resources(2.0)).launch();
    host.told(&closed, "done");
    assert_eq!(project(&closed.path("big")), id(&closed));
    assert!(fs::metadata(closed.path("big")).unwrap().len() < 2 * MB, "{}", host.said(&closed));
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
    host.told(&container, "done");
    assert_eq!(project(&container.path("big")), id(&container));
    container.destroy();
}

#[test]
fn who_has_taken_the_sandbox_out_gets_no_new_quota() {
    let host = match set_up(builder(&[ENFORCE]), "prjquota") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let script = script(&host, "PATH=$PATH:/usr/sbin; xfs_io -r -c 'chproj 5003' .; mark done; await go");
    let container = host.task(&script).resources(resources(2.0)).launch();
    host.told(&container, "done");
    let update = crate::agent::messages::update(&container.id, &resources(8.0)).record();
    let reason = container.invoke("update").record(update).run().refused();
    assert_says(&reason, &["somebody has changed the project id", "from 5000 to 5003"]);
    container.destroy();
    host.assert_nothing_left();
}
