//! Quotas that hold.

use std::fs;

use crate::agent::{Agent, Container, eventually};
use crate::disk_xfs::{ENFORCE, Host, KILL, MB, builder, host, id, resources, script, usage};

#[track_caller]
fn assert_ended_for_its_use(end: &crate::agent::messages::Termination, quota: u64) {
    end.assert_limit(20);
    let used = end
        .message
        .strip_prefix("Disk usage (")
        .and_then(|rest| rest.strip_suffix(&format!(") exceeds quota ({quota}MB)")));
    assert!(used.is_some_and(|used| used.ends_with("MB") || used.ends_with("KB")), "{end:?}");
}

fn size(container: &Container<'_>, name: &str) -> u64 {
    fs::metadata(container.path(name)).map_or(0, |found| found.len())
}

#[test]
fn a_write_beyond_the_quota_fails_at_once() {
    let host = host!(ENFORCE);
    let script = script(&host, "put big 8; rm big; put again 2; mark done; await go");
    let container = host.task(&script).resources(resources(4.0)).launch();
    host.told(&container, "done");
    let said = host.said(&container);
    assert!(said.contains("No space left on device") || said.contains("quota exceeded"), "{said}");
    assert_eq!(size(&container, "again"), 2 * MB, "{said}");
    assert_eq!(host.disk.report(id(&container)).unwrap()[1..], [4 * MB, 4 * MB]);
    assert_eq!(usage(&container).0, Some(4 * MB));
    host.tell(&container, "go");
    container.complete().assert_status(0);
    assert_eq!(host.disk.report(id(&container)).unwrap()[1..], [0, 0], "the limit ends with the container");
    host.assert_nothing_left();
}

#[test]
fn the_quota_is_used_to_the_last_block() {
    let host = host!(ENFORCE);
    let container = host.task(&script(&host, "put big 8; mark done; await go")).resources(resources(4.0)).launch();
    host.told(&container, "done");
    let written = size(&container, "big");
    // Beside the file: its output.
    assert!((4 * MB - 64 * 1024..=4 * MB).contains(&written), "{written}");
    let (limit, used) = usage(&container);
    assert_eq!(limit, Some(4 * MB));
    assert!(used.is_some_and(|used| (written..=4 * MB).contains(&used)), "{used:?}");
    container.destroy();
}

#[test]
fn updates_raise_lower_and_lift_it() {
    let host = host!(ENFORCE);
    let script = script(
        &host,
        "put a 4; mark full; await more; put b 3; mark raised; await less; put c 1; mark lowered; await none; put d 12; mark lifted; await go",
    );
    let container = host.task(&script).resources(resources(2.0)).launch();
    let id = id(&container);
    host.told(&container, "full");
    assert!(size(&container, "a") <= 2 * MB);
    container.update(&[("cpus", 0.6), ("mem", 96.0), ("disk", 8.0)]);
    assert_eq!(usage(&container).0, Some(8 * MB));
    host.tell(&container, "more");
    host.told(&container, "raised");
    assert_eq!(size(&container, "b"), 3 * MB);
    container.update(&[("cpus", 0.6), ("mem", 96.0), ("disk", 1.0)]);
    assert_eq!(host.disk.report(id).unwrap()[1..], [MB, MB]);
    host.tell(&container, "less");
    host.told(&container, "lowered");
    assert_eq!(size(&container, "c"), 0);
    container.update(&[("cpus", 0.6), ("mem", 96.0)]);
    assert_eq!((usage(&container).0, &host.disk.report(id).unwrap()[1..]), (None, &[0, 0][..]));
    host.tell(&container, "none");
    host.told(&container, "lifted");
    assert_eq!(size(&container, "d"), 12 * MB);
    container.destroy();
    host.assert_nothing_left();
}

#[test]
fn who_uses_more_is_ended_if_that_is_wanted() {
    let host = host!(ENFORCE, KILL, "--container_disk_watch_interval=500ms");
    let text = script(&host, "put a 3; mark within; await more; put a 2; sleep 1000");
    let container = host.task(&text).resources(resources(4.0)).launch();
    let wait = container.spawn_wait();
    host.told(&container, "within");
    assert_eq!(host.disk.report(id(&container)).unwrap()[1..], [4 * MB, 14 * MB]);
    let mut wait = wait;
    wait.assert_running_for(std::time::Duration::from_millis(1500));
    host.tell(&container, "more");
    assert_ended_for_its_use(&wait.finish().termination(), 4);
    container.note_end();
    // One that writes what it can, and has ended before anybody has looked: both are seen.
    let slow = builder(&[ENFORCE, KILL, "--container_disk_watch_interval=1hrs"]).same_as(&host, &host.work_dir).build();
    let container = slow.task(&script(&host, "put a 30")).resources(resources(4.0)).launch();
    assert_ended_for_its_use(&container.complete(), 4);
    let most = 14 * MB;
    assert!((13 * MB..=most).contains(&size(&container, "a")), "{}", size(&container, "a"));
    host.assert_nothing_left();
}

#[test]
fn a_sandbox_by_a_link_has_its_limits_as_long_as_the_container_lives() {
    let host = host!(ENFORCE, KILL, "--container_disk_watch_interval=500ms");
    let sandbox = |name: &str| {
        let task = host.task(&script(&host, "put a 3; mark within; await more; put a 2; sleep 1000"));
        let path = task.sandbox();
        let real = host.work_dir.join(name);
        fs::rename(&path, &real).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        task.resources(resources(4.0)).launch()
    };
    let first = sandbox("first");
    host.told(&first, "within");
    assert_eq!(host.disk.report(id(&first)).unwrap()[1..], [4 * MB, 14 * MB]);
    let wait = first.spawn_wait();
    host.tell(&first, "more");
    assert_ended_for_its_use(&wait.finish().termination(), 4);
    first.note_end();
    assert_eq!(host.disk.report(id(&first)).unwrap()[1..], [0, 0]);
    let second = sandbox("second");
    second.destroy();
    assert_eq!(host.disk.report(id(&second)).unwrap()[1..], [0, 0]);
    host.assert_nothing_left();
}

#[test]
fn nobody_is_ended_for_what_the_kernel_has_only_reserved() {
    fn launch<'a>(host: &Host, agent: &'a Agent, text: &str) -> Container<'a> {
        let container = agent.task(&script(host, text)).resources(resources(5.0)).launch();
        host.told(&container, "within");
        container
    }
    let host = host!(ENFORCE, KILL, "--container_disk_watch_interval=500ms");
    // For a file that grows the kernel reserves as much again, as long as it is open.
    let text =
        "exec 3>> a; i=0; while [ $i -lt 65 ]; do dd if=/dev/zero bs=64k count=1 2> /dev/null >&3; i=$((i+1)); done;
        mark within; await more; dd if=/dev/zero bs=64k count=16 2> /dev/null >&3; sleep 1000";
    // Where nobody looks, there is something to be ended for.
    let slow = builder(&[ENFORCE, KILL, "--container_disk_watch_interval=1hrs"]).same_as(&host, &host.work_dir).build();
    let unseen = launch(&host, &slow, text);
    let [reserved, ..] = host.disk.report(id(&unseen)).unwrap();
    assert!(reserved > 5 * MB, "{reserved}");
    assert_eq!(size(&unseen, "a"), 65 * 64 * 1024);
    unseen.destroy();
    let container = launch(&host, &host, text);
    let mut wait = container.spawn_wait();
    wait.assert_running_for(std::time::Duration::from_millis(3000));
    host.tell(&container, "more");
    assert_ended_for_its_use(&wait.finish().termination(), 5);
    container.note_end();
    host.assert_nothing_left();
}

#[test]
fn a_container_goes_on_with_its_flags_after_its_supervisors_death() {
    let host = host!(ENFORCE, KILL, "--container_disk_watch_interval=500ms");
    let script = script(&host, "put a 2; mark within; await more; put a 4; sleep 1000");
    let container = host.task(&script).resources(resources(4.0)).launch();
    host.told(&container, "within");
    host.kill_supervisors();
    assert!(usage(&container).1.is_some_and(|used| used >= 2 * MB), "figures need no supervisor");
    // As a crash in the middle of an update would leave it.
    host.disk.command(&format!("limit -p bsoft=0 bhard=0 {}", id(&container)));
    let other = builder(&["--container_disk_watch_interval=1hrs"]).same_as(&host, &host.work_dir).build();
    let wait = other.about("wait", &container.id).spawn();
    eventually("the limit is set again", || {
        host.disk.report(id(&container)).is_some_and(|report| report[1..] == [4 * MB, 14 * MB])
    });
    host.tell(&container, "more");
    assert_ended_for_its_use(&wait.finish().termination(), 4);
    container.note_end();
    host.assert_nothing_left();
}
