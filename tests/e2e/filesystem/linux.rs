//! filesystem/linux: what it refuses, nesting, and what else it goes together with.

use super::{RO, RW, linux, open_directory, volume, volumes};
use crate::agent::fixture::Fixture;
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, container::AWAIT_GO, need_root};
use crate::refusals::assert_says;

#[test]
fn container_paths_that_cannot_be_are_refused() {
    need_root!();
    let agent = linux().build();
    let source = open_directory(&agent, "source", "x");
    let above = agent.path("");
    for (path, says) in [
        ("", "names nothing"),
        ("/", "the root directory"),
        ("../outside", "\"..\""),
        ("/tmp/../proc", "\"..\""),
        ("/proc", "/proc is the kernel's"),
        ("/proc/sys", "in the kernel's /proc"),
        ("/sys/fs/cgroup", "in the kernel's /sys"),
        ("/dev", "/dev is the kernel's"),
        (above.to_str().unwrap(), "hide the sandbox"),
    ] {
        let reason = agent.task("touch ran").edit(volumes(&[volume(&source, path, RW)])).refused();
        assert_says(&reason, &["isolator filesystem/linux", &format!("host_path \"{source}\""), says]);
    }
    let twice = [volume(&source, "data", RW), volume(&source, "./data/", RO)];
    assert_says(&agent.task("touch ran").edit(volumes(&twice)).refused(), &["another volume at"]);
    let no_mode = [Message::new().bytes(1, "data").bytes(2, &source).varint(3, 7)];
    assert_says(&agent.task("touch ran").edit(volumes(&no_mode)).refused(), &["mode 7"]);
    let no_host = [Message::new().bytes(1, "data").varint(3, RW)];
    assert_says(&agent.task("touch ran").edit(volumes(&no_host)).refused(), &["no host_path"]);
}

#[test]
fn a_volume_may_be_in_another() {
    need_root!();
    let agent = linux().build();
    let (outer, inner) =
        (open_directory(&agent, "outer", "of the outer"), open_directory(&agent, "inner", "of the inner"));
    std::fs::create_dir(agent.path("outer/sub")).unwrap();
    let list = [volume(&outer, "data", RO), volume(&inner, "data/sub", RW)];
    let script = "cat data/content data/sub/content; touch data/sub/made; touch data/made 2>/dev/null; echo $?";
    let container = agent.task(script).edit(volumes(&list)).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "of the outer\nof the inner\n1\n");
    assert!(agent.path("inner/made").exists() && !agent.path("outer/made").exists());
    let reversed = [list[1].clone(), list[0].clone()];
    assert_says(&agent.task("touch ran").edit(volumes(&reversed)).refused(), &["put this one first"]);
}

#[test]
fn one_isolator_for_file_systems_is_enough() {
    need_root!();
    let agent = Agent::builder().flag("--isolation=filesystem/linux,filesystem/shared").build();
    assert_says(&agent.task("true").refused(), &["both filesystem/linux and filesystem/shared"]);
}

/// What the real agent sent; only the path that this host does not have is another one.
#[test]
fn the_captured_task_with_volumes_runs() {
    need_root!();
    for fixture in Fixture::all("mesos-volumes") {
        let agent = linux().outside_tmp().build();
        std::fs::create_dir(agent.path("share")).unwrap();
        let share = agent.path("share").to_str().unwrap().to_owned();
        let script =
            format!("ls /tmp | wc -l; touch /tmp/mine; ls -d {share}/doc; touch {share}/x; echo $?; {AWAIT_GO}");
        agent.helper("mesos-executor", &script);
        let moved = |info: &mut Message| info.edit(2, |volume| volume.replace(1, "/mnt/share", &share));
        let edit = |launch: &mut Message| {
            launch.edit(3, |executor| executor.edit(11, moved));
            launch.edit(2, |task| task.edit(9, moved));
        };
        let container = fixture.task(&agent).edit(edit).launch();
        let wait = fixture.call(&agent, &container, "wait", 0).unwrap().spawn();
        fixture.calls(&agent, &container, "update", 0);
        container.usage();
        container.go();
        wait.finish().termination().assert_status(0);
        assert_eq!(container.file("stdout"), format!("0\n{share}/doc\n1\n"));
        assert!(container.path(".private/tmp/mine").exists());
        container.note_end();
        agent.assert_nothing_left();
    }
}

/// An agent of 0.22 gives the ContainerInfo in task_info only.
#[test]
fn the_tasks_container_info_counts_where_the_executor_has_none() {
    need_root!();
    let agent = linux().build();
    let source = open_directory(&agent, "source", "from the task");
    let info = super::info(&[volume(&source, "data", RO)]);
    let task = Message::new()
        .bytes(1, "e2e")
        .message(2, &crate::agent::messages::id("e2e"))
        .message(3, &crate::agent::messages::id(&agent.profile.slave()))
        .message(9, &info);
    let edit = |launch: &mut Message| launch.set(2, Value::Bytes(task.encode()));
    let container = agent.task("cat data/content").edit(edit).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "from the task\n");
}

#[test]
fn run_has_volumes() {
    need_root!();
    let agent = linux().build();
    let source = open_directory(&agent, "source", "for run");
    let mut run = agent.operator();
    run.args(["run", &format!("--volume={source}:data:ro"), "--", "cat", "data/content"]);
    let output = run.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "for run\n", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}
