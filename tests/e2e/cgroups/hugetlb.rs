//! cgroups/hugetlb: huge pages.

use std::fs;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, cgroups, need_root, skip};

/// Whether v2's topmost cgroup lists the controller in this file.
fn listed(file: &str) -> bool {
    let text = cgroups::unified().map(|point| fs::read_to_string(point.join(file)).unwrap()).unwrap_or_default();
    text.split_whitespace().any(|controller| controller == "hugetlb")
}

/// Leaves v2 as it was, as far as no other test needs it.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let point = cgroups::unified().unwrap();
        let _ = fs::write(point.join("cgroup.subtree_control"), "-hugetlb");
    }
}

#[test]
fn the_container_has_a_cgroup_of_its_own_without_limits() {
    need_root!();
    if !cgroups::is_v1("hugetlb") && !listed("cgroup.controllers") {
        skip!("there is no hugetlb controller");
    }
    let _restored = (!cgroups::is_v1("hugetlb") && !listed("cgroup.subtree_control")).then_some(Restored);
    let agent = Agent::builder().flag("--isolation=cgroups/hugetlb").build();
    let container = agent.task(AWAIT_GO).launch();
    let v1 = cgroups::is_v1("hugetlb");
    let path = cgroups::of_process(container.first_pid(), if v1 { "hugetlb" } else { "" });
    assert_eq!(path, format!("/{}/{}", agent.cgroups_root, container.id));
    let names = fs::read_dir(container.cgroup("hugetlb")).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let limits: Vec<String> = names
        .filter(|n| n.starts_with("hugetlb.") && n.ends_with(if v1 { "B.limit_in_bytes" } else { "B.max" }))
        .collect();
    assert!(!limits.is_empty(), "its huge pages are not counted");
    for file in limits {
        let limit = container.control("hugetlb", &file);
        assert!(limit == "max" || limit.parse::<u64>().unwrap() > 1 << 60, "{file}: {limit}");
    }
    container.go();
    container.complete().assert_status(0);
    agent.assert_nothing_left();
}
