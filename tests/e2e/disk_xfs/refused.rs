//! Where there can be no project quotas.

use super::builder;
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
fn only_root_sets_quotas() {
    need_root!();
    let agent = builder(&[]).unprivileged().build();
    assert_says(&agent.task("true").refused(), &["isolator disk/xfs: probe", "only root can set quotas"]);
}
