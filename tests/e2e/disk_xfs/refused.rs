//! Where there can be no project quotas.

use super::{ENFORCE, builder, resources, set_up};
use crate::agent::{need_root, skip};
use crate::refusals::assert_says;

#[test]
fn another_file_system_is_refused() {
    need_root!();
    let agent = builder(&[]).build();
    if nix::sys::statfs::statfs(&agent.work_dir).unwrap().filesystem_type() == nix::sys::statfs::XFS_SUPER_MAGIC {
        skip!("/tmp is XFS");
    }
    let reason = agent.task("touch ran").refused();
    assert_says(
        &reason,
        &["isolator disk/xfs: plan: the sandbox ", " is on ", "only XFS has project quotas", "posix/disk"],
    );
    assert!(agent.containers().is_empty());
}

#[test]
fn xfs_without_project_quotas_is_refused() {
    for options in ["noquota", "uquota,gquota"] {
        let host = match set_up(builder(&[]), options) {
            Ok(host) => host,
            Err(reason) => skip!(&reason),
        };
        let reason = host.task("touch ran").refused();
        assert_says(&reason, &["isolator disk/xfs: plan", "without project quotas", "-o prjquota"]);
    }
}

#[test]
fn quotas_that_do_not_hold_are_good_for_figures_only() {
    let host = match set_up(builder(&[]), "pqnoenforce") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let reason = host.task("touch ran").flag(ENFORCE).resources(resources(4.0)).refused();
    assert_says(&reason, &["pqnoenforce", "--enforce_container_disk_quota"]);
    let container = host.task("sleep 1000").resources(resources(4.0)).launch();
    assert!(super::usage(&container).1.is_some());
    container.destroy();
}

#[test]
fn only_root_sets_quotas() {
    need_root!();
    let agent = builder(&[]).unprivileged().build();
    assert_says(&agent.task("true").refused(), &["isolator disk/xfs: probe", "only root can set quotas"]);
}
