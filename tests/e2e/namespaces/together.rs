//! All namespaces at once, and with the isolators of cgroups.

use std::collections::BTreeSet;

use super::{host_mounts, inside, of, ours};
use crate::agent::{Agent, cgroups, need_root, skip};

#[test]
fn all_of_them_with_limits() {
    need_root!();
    if cgroups::unified().is_none() {
        skip!("no cgroup v2");
    }
    let flags = "--isolation=cgroups/cpu,cgroups/mem,cgroups/pids,namespaces/pid,namespaces/ipc,namespaces/uts,namespaces/cgroup";
    for pid1 in ["--pid1=executor", "--pid1=init"] {
        let agent = Agent::builder().flag(flags).flag(pid1).build();
        let mounts = host_mounts();
        let container = agent
            .task("id -un > user; pwd > cwd; umask > umask; echo > there; exec sleep 1000")
            .user("nobody")
            .launch();
        container.line("there");
        let first = inside(&container, if pid1.ends_with("init") { 2 } else { 1 }).pid.to_string();
        let kinds = ["pid", "ipc", "uts", "mnt", "cgroup"];
        let own: BTreeSet<String> = kinds.iter().map(|kind| of(&first, kind)).collect();
        assert!(kinds.iter().all(|kind| !own.contains(&ours(kind))), "{own:?}");
        for kind in ["net", "user"] {
            assert_eq!(of(&first, kind), ours(kind));
        }
        assert_eq!(container.line("user"), "nobody");
        assert_eq!(container.line("cwd"), container.path("").display().to_string().trim_end_matches('/'));
        assert_eq!(container.line("umask"), "0022");
        assert_eq!(host_mounts(), mounts);
        assert!(container.usage().mem_rss_bytes().is_some_and(|bytes| bytes > 0));
        container.destroy();
        assert_eq!(host_mounts(), mounts);
        agent.assert_nothing_left();
    }
}
