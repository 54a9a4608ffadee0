//! The linux launcher: where processes are, from the first on.

use crate::agent::{Agent, cgroups, need_root, skip};
use crate::refusals::assert_says;

#[test]
fn every_process_is_in_the_containers_cgroups_from_the_first_on() {
    need_root!();
    let agent = Agent::new();
    let task = "cat /proc/self/cgroup > first; (setsid sh -c 'cat /proc/self/cgroup > new; mv new second' &)
        until [ -e second ]; do sleep 0.02; done";
    let container = agent.task(task).launch();
    let own = format!("/{}/{}", agent.cgroups_root, container.id);
    container.complete().assert_status(0);
    for file in ["first", "second"] {
        let text = container.file(file);
        if cgroups::is_v1("freezer") {
            assert!(text.contains(&format!(":freezer:{own}\n")), "{file}: {text}");
        }
        if cgroups::unified().is_some() {
            assert!(text.contains(&format!("0::{own}\n")), "{file}: {text}");
        }
    }
    agent.assert_nothing_left();
}

#[test]
fn with_the_posix_launcher_no_cgroup_is_joined() {
    need_root!();
    let agent = Agent::builder().flag("--launcher=posix").build();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let container = agent.task("cat /proc/self/cgroup > cgroup").launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("cgroup"), own);
}

#[test]
fn a_cgroup_that_exists_already_is_refused() {
    need_root!();
    if !cgroups::is_v1("freezer") {
        skip!("there is no v1 freezer");
    }
    let agent = Agent::new();
    let task = agent.task("true").id("taken");
    let path = cgroups::mount_point("freezer").join(&agent.cgroups_root).join("taken");
    std::fs::create_dir_all(&path).unwrap();
    let (_, output) = task.try_launch();
    assert_says(&output.refused(), &[path.to_str().unwrap(), "exists already"]);
    assert!(path.is_dir(), "what was there before is left alone");
}
