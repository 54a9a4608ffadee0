//! XFS file systems whose options of mount(8) are not what it takes.

use crate::agent::skip;
use crate::disk_xfs::{ENFORCE, builder, resources, set_up, usage};
use crate::refusals::assert_says;

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
    assert!(usage(&container).1.is_some());
    container.destroy();
}
