//! Persistent volumes.

use std::fs;
use std::path::Path;

use crate::agent::messages::scalar;
use crate::agent::wire::Message;
use crate::agent::{eventually, need_root, skip};
use crate::disk_xfs::{Disk, ENFORCE, Host, MB, builder, host, id, project, script};
use crate::persistent::{Volume, change, kept, make, volume};
use crate::refusals::assert_says;

/// What a [`volume`] may use.
const QUOTA: u64 = 16 * MB;

fn resources(volumes: &[Volume]) -> Vec<Message> {
    let usual = [scalar("cpus", 0.6), scalar("mem", 96.0), scalar("disk", 8.0)];
    usual.into_iter().chain(volumes.iter().map(Volume::resource)).collect()
}

#[track_caller]
fn assert_limits(host: &Host, id: u32, limit: u64) {
    assert_eq!(host.disk.report(id).unwrap()[1..], [limit, limit], "of {id}");
}

#[test]
fn a_volume_is_a_project_of_its_own_and_stays_it() {
    let host = host!(ENFORCE);
    let data = make(&host, "data");
    fs::create_dir_all(data.join("deep/er")).unwrap();
    fs::write(data.join("deep/er/file"), vec![1; MB as usize]).unwrap();
    let volumes = || resources(&[volume("data", "db")]);
    let script = script(&host, "put db/big 20; put own 6; mark done; await go");
    let first = host.task(&script).resources(volumes()).launch();
    let kept = project(&data);
    assert_eq!((id(&first), kept, project(&data.join("deep/er/file"))), (5000, 5001, 5001));
    host.told(&first, "done");
    let size = fs::metadata(data.join("big")).unwrap().len();
    assert!((14 * MB..=15 * MB).contains(&size), "{size}");
    assert_eq!(fs::metadata(first.path("own")).unwrap().len(), 6 * MB, "the sandbox has a quota of its own");
    assert_limits(&host, 5001, QUOTA);
    assert_limits(&host, 5000, 8 * MB);
    host.tell(&first, "go");
    first.complete().assert_status(0);
    assert_limits(&host, 5001, 0);
    let second = host.task("sleep 1000").resources(volumes()).launch();
    assert_eq!((id(&second), project(&data)), (5002, kept));
    assert_limits(&host, 5001, QUOTA);
    second.destroy();
    assert_limits(&host, 5001, 0);
    host.assert_nothing_left();
}

#[test]
fn updates_bring_and_take_volumes_with_their_limits() {
    let host = host!(ENFORCE);
    let (a, b) = (make(&host, "a"), make(&host, "b"));
    let container = host.task("sleep 1000").resources(resources(&[volume("a", "a")])).launch();
    assert_eq!(project(&a), 5001);
    change(&container, &[volume("a", "a"), volume("b", "b")]);
    assert_eq!((project(&a), project(&b)), (5001, 5002));
    assert_limits(&host, 5001, QUOTA);
    assert_limits(&host, 5002, QUOTA);
    change(&container, &[volume("b", "b")]);
    assert_limits(&host, 5001, 0);
    assert_limits(&host, 5002, QUOTA);
    host.kill_supervisors();
    container.destroy();
    assert_limits(&host, 5002, 0);
    assert_eq!(project(&b), 5002);
    host.assert_nothing_left();
}

#[test]
fn without_enforcement_volumes_are_left_alone() {
    let host = host!();
    let data = make(&host, "data");
    let container = host.task("sleep 1000").resources(resources(&[volume("data", "db")])).launch();
    assert_eq!((id(&container), project(&data)), (5000, 0));
    container.destroy();
}

#[test]
fn a_volume_that_was_marked_half_is_marked_again() {
    let host = host!(ENFORCE);
    let data = make(&host, "data");
    let inside = data.join("in");
    fs::create_dir(&inside).unwrap();
    let launch = || host.task("sleep 1000").resources(resources(&[volume("data", "db")])).launch();
    launch().destroy();
    assert_eq!((project(&data), project(&inside)), (5001, 5001));
    xfs_io("chproj 0", &inside);
    xfs_io("chattr -P", &data);
    let container = launch();
    assert_eq!((project(&data), project(&inside)), (5001, 5001));
    fs::write(data.join("new"), "").unwrap();
    assert_eq!(project(&data.join("new")), 5001);
    container.destroy();
}

#[test]
fn a_volume_does_not_keep_an_id_that_its_users_have_given_it() {
    let host = host!(ENFORCE);
    let victim = host.task("sleep 1000").resources(resources(&[])).launch();
    assert_eq!(id(&victim), 5000);
    let data = make(&host, "data");
    fs::create_dir(data.join("in")).unwrap();
    let launch = || host.task("sleep 1000").resources(resources(&[volume("data", "db")])).launch();
    // One that never had an id of ours, and one that has; the old one goes to the sandbox.
    for expected in [5002, 5003] {
        for path in [data.join("in"), data.clone()] {
            xfs_io("chproj 5000", &path);
            xfs_io("chattr +P", &path);
        }
        let next = launch();
        assert_eq!([project(&data), project(&data.join("in"))], [expected; 2]);
        assert_limits(&host, expected, QUOTA);
        assert_limits(&host, 5000, 8 * MB);
        next.destroy();
        assert_limits(&host, 5000, 8 * MB);
    }
    victim.destroy();
    host.assert_nothing_left();
}

/// Changes what only the owner can.
fn xfs_io(command: &str, path: &Path) {
    crate::disk_xfs::run("xfs_io", &["-r", "-c", command, path.to_str().unwrap()]).unwrap();
}

/// `path` on another file system, with a volume in it.
fn elsewhere(path: &Path) -> Volume {
    let below = path.join("volumes/roles").join(crate::persistent::ROLE).join("far");
    fs::create_dir_all(below).unwrap();
    volume("far", "db").source(1, path.to_str().unwrap())
}

#[test]
fn a_volume_on_another_disk_counts_there() {
    let host = host!(ENFORCE);
    let other = host.path("other");
    let disk = Disk::mount(&host.path("image2"), &other, "prjquota").unwrap();
    let far = elsewhere(&other);
    let script = script(&host, "put db/big 20; mark done; await go");
    let container = host.task(&script).resources(resources(&[far])).launch();
    host.told(&container, "done");
    let id = project(&other.join("volumes/roles").join(crate::persistent::ROLE).join("far"));
    assert_eq!(id, 5000, "each file system has its own ids");
    assert_eq!(disk.report(id).unwrap()[1..], [QUOTA, QUOTA]);
    eventually("it is full", || disk.report(id).unwrap()[0] > QUOTA - MB);
    container.destroy();
    assert_eq!(disk.report(id).unwrap()[1..], [0, 0]);
}

#[test]
fn a_volume_whose_quota_cannot_be_enforced_is_refused() {
    let host = host!(ENFORCE);
    let other = host.path("other");
    let far = elsewhere(&other);
    let (_, output) = host.task("touch ran").resources(resources(&[far])).try_launch();
    assert_says(&output.refused(), &["disk/xfs", "persistent volume", "only XFS has project quotas"]);
    // A disk of its own needs none.
    let whole = volume("whole", "db").source(2, other.to_str().unwrap());
    let container = host.task("sleep 1000").resources(resources(&[whole])).launch();
    let output = crate::persistent::try_change(&container, &[elsewhere(&other)]);
    assert_says(&output.refused(), &["only XFS has project quotas"]);
    container.destroy();
    host.assert_nothing_left();
}

#[test]
fn where_nothing_is_enforced_a_volume_may_be_anywhere() {
    need_root!();
    let host = match crate::disk_xfs::set_up(builder(&[]), "prjquota") {
        Ok(host) => host,
        Err(reason) => skip!(&reason),
    };
    let far = elsewhere(&host.path("other"));
    host.task("> db/x").resources(resources(&[far])).launch().complete().assert_status(0);
    assert!(!kept(&host, "far").exists());
}
