//! `cgroups/all`, and what is said where an isolator cannot be had.

use std::fs;

use crate::agent::{Agent, cgroups, need_root, skip};
use crate::refusals::assert_says;

/// The controllers of the isolators that need no flags of their own, as v1 and v2 call them.
const CONTROLLERS: [(&str, &str); 8] = [
    ("cpu", "cpu"),
    ("cpuacct", "cpu"),
    ("memory", "memory"),
    ("pids", "pids"),
    ("cpuset", "cpuset"),
    ("blkio", "io"),
    ("devices", ""),
    ("hugetlb", "hugetlb"),
];

#[test]
fn it_takes_what_is_here_and_nothing_else() {
    need_root!();
    let agent = Agent::builder().flag("--isolation=cgroups/all").build();
    let container = agent.task("exec sleep 1000").launch();
    let first = container.first_pid();
    let own = format!("/{}/{}", agent.cgroups_root, container.id);
    let text = fs::read_to_string(format!("/proc/{first}/cgroup")).unwrap();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
        let wanted = |c: &str| c.is_empty() || c == "freezer" || CONTROLLERS.iter().any(|(v1, _)| *v1 == c);
        if !controllers.starts_with("name=") {
            assert_eq!(path == own, controllers.split(',').any(wanted), "{line}");
        }
    }
    if let Some(unified) = cgroups::unified() {
        let here = fs::read_to_string(unified.join("cgroup.controllers")).unwrap();
        let enabled = fs::read_to_string(unified.join(&own[1..]).join("cgroup.controllers")).unwrap();
        let has = |list: &str, name: &str| list.split_ascii_whitespace().any(|c| c == name);
        for (v1, v2) in CONTROLLERS {
            assert_eq!(has(&enabled, v2), has(&here, v2) && !cgroups::is_v1(v1), "{v2} of {enabled}");
        }
    }
    // What it stood for at the launch is what later calls know.
    container.update(&[("cpus", 0.25)]);
    assert!(container.usage().cpu_seconds().is_some());
    let (file, parts) = if cgroups::is_v1("cpu") { ("cpu.shares", 256) } else { ("cpu.weight", 25) };
    assert_eq!(container.control("cpu", file), agent.profile.whole(0.25, parts).to_string());
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn later_flags_do_not_change_what_it_stood_for() {
    need_root!();
    let agent = Agent::new();
    let container = agent.task("exec sleep 1000").flag("--isolation=cgroups/pids").launch();
    let record = crate::agent::messages::update(&container.id, &[]).record();
    container.invoke("update").record(record).flag("--isolation=cgroups/all").run().ok();
    let usage = container.invoke("usage").flag("--isolation=cgroups/all").run().statistics();
    assert_eq!((usage.cpu_seconds(), usage.message.get_varint(31)), (None, Some(1)));
}

#[test]
fn an_isolator_whose_controller_is_not_here_is_refused_with_the_reason() {
    need_root!();
    if cgroups::is_v1("net_cls") {
        skip!("net_cls is here");
    }
    let agent = Agent::builder()
        .flag("--isolation=cgroups/cpu,cgroups/net_cls")
        .flag("--cgroups_net_cls_primary_handle=0x0012")
        .flag("--cgroups_net_cls_secondary_handles=0x0001,0xffff")
        // Where no directory can be made: nothing must get mounted on the host for a test.
        .flag("--cgroups_hierarchy=/proc/self")
        .build();
    let mark = agent.path("mark");
    let reason = agent.task(&format!("touch {}", mark.display())).refused();
    assert_says(&reason, &["cgroups/net_cls", "not available here because", "controller net_cls"]);
    assert!(!mark.exists());
}
