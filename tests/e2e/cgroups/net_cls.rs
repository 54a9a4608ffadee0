//! cgroups/net_cls: class ids of network traffic. And the mounting of hierarchies, of which this one is hardly ever mounted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::private::{can_be_mounted, in_namespaces_of_its_own};
use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Container, cgroups, need_root, skip};
use crate::refusals::assert_says;

fn mounts_of_net_cls() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().filter(|line| line.contains(" - cgroup ") && line.contains("net_cls")).map(str::to_owned).collect()
}

fn agent(hierarchy: &Path, flags: &[&str]) -> Agent {
    let builder = Agent::builder()
        .flag("--isolation=cgroups/net_cls")
        .flag(&format!("--cgroups_hierarchy={}", hierarchy.display()));
    flags.iter().fold(builder, |builder, flag| builder.flag(flag)).build()
}

fn class_id(container: &Container) -> u32 {
    container.control("net_cls", "net_cls.classid").parse().unwrap()
}

/// Launches so many at the same moment.
fn launch_at_once(agent: &Agent, count: usize) -> Vec<Container<'_>> {
    let calls: Vec<_> = (0..count).map(|_| agent.task(AWAIT_GO).spawn()).collect();
    let launched = calls.into_iter().map(|(container, call)| {
        call.finish().ok();
        container.remember();
        container
    });
    launched.collect()
}

#[test]
fn a_hierarchy_that_nobody_has_mounted_is_mounted_once() {
    need_root!();
    if !can_be_mounted("net_cls") || cgroups::is_v1("net_cls") {
        skip!("net_cls is mounted already, or this kernel does not have it");
    }
    let hierarchy = in_namespaces_of_its_own!();
    let agent = agent(&hierarchy, &[]);
    assert!(mounts_of_net_cls().is_empty());
    let containers = launch_at_once(&agent, 6);
    let mounts = mounts_of_net_cls();
    assert_eq!(mounts.len(), 1, "{mounts:?}");
    assert!(mounts[0].contains(&format!(" {}/", hierarchy.display())), "{mounts:?}");
    for container in &containers {
        let path = cgroups::of_process(container.first_pid(), "net_cls");
        assert_eq!(path, format!("/{}/{}", agent.cgroups_root, container.id));
        assert_eq!(class_id(container), 0, "no flag, no class id");
        container.go();
        container.complete().assert_status(0);
    }
    agent.assert_nothing_left();
}

#[test]
fn where_it_cannot_be_mounted_the_launch_is_refused() {
    need_root!();
    if !can_be_mounted("net_cls") || cgroups::is_v1("net_cls") {
        skip!("net_cls is mounted already, or this kernel does not have it");
    }
    let hierarchy = in_namespaces_of_its_own!();
    let names: Vec<String> =
        ["net_cls", "net_cls,net_prio"].iter().map(|n| format!("{}/{n}", hierarchy.display())).collect();
    for name in &names {
        fs::create_dir_all(format!("{name}/something")).unwrap();
    }
    let reason = agent(&hierarchy, &[]).task("true").refused();
    assert_says(&reason, &["cgroups/net_cls", &names[0], "not empty", "--cgroups_hierarchy"]);
    if let Some(unified) = cgroups::unified() {
        let reason = agent(&unified, &[]).task("true").refused();
        assert_says(&reason, &[unified.to_str().unwrap(), "v2", "--cgroups_hierarchy"]);
        assert!(!unified.join("net_cls").exists());
    }
    let reason = agent(Path::new("/proc/none"), &[]).task("true").refused();
    assert_says(&reason, &["/proc/none", "No such file or directory"]);
    assert!(mounts_of_net_cls().is_empty());
}

#[test]
fn each_container_has_the_lowest_free_handle() {
    need_root!();
    if !can_be_mounted("net_cls") {
        skip!("this kernel does not have net_cls");
    }
    let hierarchy = in_namespaces_of_its_own!();
    let range = "--cgroups_net_cls_secondary_handles=0x0010,0x00ff";
    let agent = agent(&hierarchy, &["--cgroups_net_cls_primary_handle=0x0012", range]);
    let containers = launch_at_once(&agent, 8);
    let mut ids: Vec<u32> = containers.iter().map(class_id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0x12_0010..0x12_0018).collect::<Vec<u32>>());

    let root = cgroups::mount_point("net_cls").join(&agent.cgroups_root).join("net_cls.classid");
    let mode = fs::metadata(&root).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "other accounts could take the lock and keep it");

    // It is the cgroup that has the handle, whoever looks after the container.
    agent.kill_supervisors();
    let ninth = agent.task(AWAIT_GO).launch();
    assert_eq!(class_id(&ninth), 0x12_0018);

    let freed = class_id(&containers[3]);
    containers[3].destroy();
    let next = agent.task(AWAIT_GO).launch();
    assert_eq!(class_id(&next), freed);
    let rest = containers.iter().enumerate().filter(|(number, _)| *number != 3).map(|(_, container)| container);
    rest.chain([&ninth, &next]).for_each(|container| drop(container.destroy()));
    agent.assert_nothing_left();
}

#[test]
fn an_exhausted_range_is_refused_and_leaves_nothing() {
    need_root!();
    if !can_be_mounted("net_cls") {
        skip!("this kernel does not have net_cls");
    }
    let hierarchy = in_namespaces_of_its_own!();
    let flags = ["--cgroups_net_cls_primary_handle=18", "--cgroups_net_cls_secondary_handles=1,2"];
    let agent = agent(&hierarchy, &flags);
    let containers = launch_at_once(&agent, 2);
    let (third, output) = agent.task("touch ran").try_launch();
    assert_says(&output.refused(), &["0x0001 to 0x0002", "0x0012", "--cgroups_net_cls_secondary_handles"]);
    assert!(!third.path("ran").exists());
    let left = cgroups::below_all(&agent.cgroups_root);
    assert!(left.iter().all(|path| !path.ends_with(&third.id)), "{left:?}");
    containers[0].destroy();
    agent.task("true").launch().complete().assert_status(0);
    containers[1].destroy();
    agent.assert_nothing_left();
}

#[test]
fn wrong_handles_are_refused_before_anything_is_made() {
    let flag = |primary: &str, secondary: &str| {
        let agent = agent(Path::new("/proc/none"), &[primary, secondary]);
        agent.task("true").refused()
    };
    let (primary, secondary) = ("--cgroups_net_cls_primary_handle", "--cgroups_net_cls_secondary_handles");
    assert_says(&flag(&format!("{primary}=0x10000"), ""), &[primary, "0x10000", "0xffff"]);
    assert_says(&flag(&format!("{primary}=1"), &format!("{secondary}=9,8")), &[secondary, "9,8", "greater"]);
    assert_says(&flag("", &format!("{secondary}=1,2")), &[primary, secondary]);
}
