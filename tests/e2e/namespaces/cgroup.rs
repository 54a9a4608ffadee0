//! `namespaces/cgroup`: the container's own cgroup as the root of what it sees.

use super::{agent, host_mounts};
use crate::agent::container::AWAIT_GO;
use crate::agent::{cgroups, need_root, skip};
use crate::refusals::assert_says;

const CGROUP: &str = "namespaces/cgroup";

#[test]
fn its_own_cgroup_is_the_root() {
    need_root!();
    let Some(unified) = cgroups::unified() else {
        assert_says(&agent(CGROUP).task("true").refused(), &[CGROUP, "v2"]);
        skip!("no cgroup v2");
    };
    let agent = agent(CGROUP);
    let mounts = host_mounts();
    let look = format!(
        "sed -n s/^0:://p /proc/self/cgroup > own; grep ' {0} ' /proc/self/mountinfo | tail -n 1 > mount; \
         cat {0}/cgroup.procs > members; mkdir {0}/below && ls -d {0}/*/ > below; {AWAIT_GO}",
        unified.display()
    );
    let container = agent.task(&look).launch();
    container.line("below");
    assert_eq!(container.line("own"), "/");
    let mount = container.line("mount");
    assert!(mount.contains(" / ") && mount.contains(" - cgroup2 "), "{mount}");
    assert_eq!(container.file("below").trim(), format!("{}/below/", unified.display()), "it sees cgroups of others");
    assert!(!container.file("members").is_empty());
    // The host sees it where it is.
    let place = unified.join(&agent.cgroups_root).join(&container.id);
    assert!(place.join("below").is_dir());
    assert_eq!(host_mounts(), mounts);
    container.go();
    container.complete().assert_status(0);
    agent.assert_nothing_left();
}

/// Of the old hierarchies it is in, too.
#[test]
fn the_paths_of_the_old_hierarchies_are_its_own() {
    need_root!();
    if cgroups::unified().is_none() {
        skip!("no cgroup v2");
    }
    let container_of = agent(&format!("{CGROUP},cgroups/pids,cgroups/cpu"));
    let container = container_of.task("cat /proc/self/cgroup > cgroup").launch();
    container.complete().assert_status(0);
    for line in container.file("cgroup").lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
        if ["", "pids", "cpu", "freezer"].contains(&controllers) {
            assert_eq!(path, "/", "{line}");
        }
        assert!(!path.contains(&container.id), "{line}");
    }
}
