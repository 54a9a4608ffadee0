//! What is measured, what may be used, and what happens to those who use more.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::{agent, assert_exceeded, change, du, enforcing, limit, resources, settles, used, volume};
use crate::agent::container::AWAIT_GO;
use crate::agent::need_root;
use crate::agent::{Agent, eventually};
use crate::persistent;
use crate::refusals::assert_says;

/// Writes so many MB, in a way that takes their room at once.
fn fill(name: &str, megabytes: u32) -> String {
    format!("head -c {}M /dev/zero > {name}", megabytes)
}

#[test]
fn usage_says_what_du_says() {
    let agent = agent().build();
    let script = format!(
        "mkdir -p a/b; {}; ln a/../big a/b/again; ln -s /etc a/etc; dd if=/dev/null of=sparse bs=1 seek=1G 2> /dev/null; \
         {AWAIT_GO}; rm big a/b/again; sleep 100",
        fill("big", 3)
    );
    let container = agent.task(&script).resources(resources(16.0)).launch();
    settles(&container);
    assert_eq!(limit(&container), Some(16 << 20));
    assert!(used(&container).unwrap() >= 3 << 20);
    container.go();
    eventually("what is gone does not count", || used(&container).unwrap() < 1 << 20);
    settles(&container);
    // Nothing is ended that is not to be.
    assert_eq!(container.processes().len(), 2);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_sandbox_without_a_disk_resource_is_measured_too() {
    let agent = agent().build();
    let container = agent.task("sleep 100").launch();
    settles(&container);
    assert_eq!(limit(&container), None);
}

#[test]
fn without_root_too() {
    need_root!();
    let agent = enforcing().unprivileged().build();
    let container =
        agent.task(&format!("{AWAIT_GO}; {}; sleep 100", fill("big", 4))).resources(resources(3.0)).launch();
    settles(&container);
    let wait = container.spawn_wait();
    container.go();
    assert_exceeded(&wait.finish().termination(), "3MB");
    agent.assert_nothing_left();
}

#[test]
fn who_uses_more_than_its_quota_is_ended() {
    let agent = enforcing().build();
    let container = agent.task(&format!("{}; sleep 100", fill("big", 4))).resources(resources(3.0)).launch();
    let end = container.complete();
    assert_exceeded(&end, "3MB");
    assert!(end.message.starts_with(&format!("Disk usage ({}KB)", du(&container.path("")) >> 10)), "{end:?}");
    assert_eq!(end.status, Some(9));
    agent.assert_nothing_left();
}

#[test]
fn the_other_name_means_the_same() {
    let agent = Agent::builder()
        .flag("--isolation=disk/du")
        .flag("--container_disk_watch_interval=250ms")
        .flag("--enforce_container_disk_quota")
        .build();
    let container = agent.task(&format!("{}; sleep 100", fill("big", 4))).resources(resources(3.0)).launch();
    assert_exceeded(&container.complete(), "3MB");
}

#[test]
fn quotas_that_nobody_would_enforce_are_refused() {
    let agent = Agent::builder().flag("--isolation=posix/cpu").flag("--enforce_container_disk_quota").build();
    let reason = agent.task("touch ran").refused();
    assert_says(&reason, &["--enforce_container_disk_quota", "posix/disk", "disk/xfs"]);
}

#[test]
fn entries_add_up_and_an_update_changes_them() {
    let agent = enforcing().build();
    let mut all = resources(2.0);
    all.push(crate::agent::messages::scalar("disk", 3.0));
    let container = agent.task(&format!("{}; sleep 100", fill("big", 4))).resources(all).launch();
    settles(&container);
    assert_eq!(limit(&container), Some(5 << 20));
    change(&container, &resources(8.0));
    assert_eq!(limit(&container), Some(8 << 20));
    std::thread::sleep(Duration::from_millis(600));
    let wait = container.spawn_wait();
    change(&container, &resources(3.0));
    assert_exceeded(&wait.finish().termination(), "3MB");
}

#[test]
fn an_update_without_disk_lifts_the_quota() {
    let agent = enforcing().build();
    let script = format!("{AWAIT_GO}; {}; touch done; sleep 100", fill("big", 4));
    let container = agent.task(&script).resources(resources(3.0)).launch();
    change(&container, &resources(0.0)[..2]);
    container.go();
    eventually("it has written", || container.path("done").exists());
    settles(&container);
    assert_eq!(limit(&container), None);
    container.destroy();
}

/// With links, and where there is root with mounts.
fn isolators() -> Vec<&'static str> {
    let root = nix::unistd::Uid::effective().is_root();
    if root { vec!["filesystem/posix", "filesystem/linux"] } else { vec!["filesystem/posix"] }
}

#[test]
fn volumes_have_quotas_of_their_own() {
    for isolator in isolators() {
        let flag = format!("--isolation={isolator},posix/disk");
        let builder = Agent::builder().flag(&flag).flag("--container_disk_watch_interval=250ms");
        let agent = builder.flag("--enforce_container_disk_quota").build();
        let kept = persistent::make(&agent, "v1");
        let mut all = resources(3.0);
        all.push(volume("v1", "data", 6.0));
        // More than the sandbox may hold, and less than the volume.
        let script = format!("{}; touch data/done; {AWAIT_GO}; {}; sleep 100", fill("data/big", 4), fill("data/b", 4));
        let container = agent.task(&script).resources(all).launch();
        eventually("the volume is filled", || kept.join("done").exists());
        eventually("the sandbox is measured without it", || used(&container).is_some_and(|used| used < 1 << 20));
        std::thread::sleep(Duration::from_millis(600));
        assert!(!container.processes().is_empty(), "{isolator}");
        container.go();
        assert_exceeded(&container.complete(), "6MB");
        assert_eq!(fs::metadata(kept.join("b")).unwrap().size(), 4 << 20, "the data stays");
    }
}

#[test]
fn a_disk_that_is_mounted_as_a_whole_is_not_enforced() {
    let agent = enforcing().build();
    let disk = agent.path("disk");
    fs::create_dir(&disk).unwrap();
    let mut whole = volume("v1", "data", 1.0);
    let root = crate::agent::wire::Message::new().bytes(1, disk.to_str().unwrap());
    let source = crate::agent::wire::Message::new().varint(1, 2).message(3, &root);
    whole.edit(7, |info| *info = info.clone().message(3, &source));
    let mut all = resources(3.0);
    all.push(whole);
    let container = agent.task(&format!("{}; touch done; sleep 100", fill("data/big", 4))).resources(all).launch();
    eventually("it has written", || container.path("done").exists());
    std::thread::sleep(Duration::from_millis(800));
    settles(&container);
    container.destroy();
}

#[test]
fn a_volume_that_is_gone_does_not_hide_the_sandbox() {
    let agent = enforcing().build();
    let kept = persistent::make(&agent, "v1");
    let mut all = resources(3.0);
    all.push(volume("v1", "data", 6.0));
    let container = agent.task(&format!("{AWAIT_GO}; {}; sleep 100", fill("big", 4))).resources(all).launch();
    fs::remove_dir(&kept).unwrap();
    settles(&container);
    container.go();
    assert_exceeded(&container.complete(), "3MB");
}
