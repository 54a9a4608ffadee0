//! filesystem/posix: symbolic links in the sandbox.

use std::fs;
use std::os::unix::fs::symlink;

use super::{agent, change, kept, make, task, try_change, volume};
use crate::agent::messages::scalar;
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, eventually};
use crate::refusals::assert_says;

const POSIX: &str = "filesystem/posix";

#[test]
fn data_outlives_the_container() {
    let agent = agent(POSIX);
    let data = make(&agent, "data");
    let volumes = || [volume("data", "db"), volume("other", "deep/er/log")];
    make(&agent, "other");
    let first = task(&agent, "echo kept > db/file; echo two > deep/er/log/file", &volumes()).launch();
    first.complete().assert_status(0);
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "kept\n");
    // The sandbox stays as it is: who looks into it sees where the data was.
    assert_eq!(fs::read_link(first.path("db")).unwrap(), data);
    let second = task(&agent, "cat db/file deep/er/log/file", &volumes()).launch();
    second.complete().assert_status(0);
    assert_eq!(second.file("stdout"), "kept\ntwo\n");
}

#[test]
fn updates_add_and_remove() {
    let agent = agent(POSIX);
    let data = make(&agent, "data");
    let container = task(&agent, "echo $$ > pid; await db; echo here > db/file; await gone; [ ! -e db ]", &[]).launch();
    container.pid("pid");
    change(&container, &[]);
    assert!(!container.path("db").exists());
    change(&container, &[volume("data", "db")]);
    eventually("the task has written", || data.join("file").exists());
    change(&container, &[volume("data", "db")]);
    assert_eq!(fs::read_link(container.path("db")).unwrap(), data);
    make(&agent, "other");
    change(&container, &[volume("other", "db")]);
    assert_eq!(fs::read_link(container.path("db")).unwrap(), kept(&agent, "other"));
    change(&container, &[]);
    assert!(fs::symlink_metadata(container.path("db")).is_err());
    fs::write(container.path("gone"), "").unwrap();
    container.complete().assert_status(0);
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "here\n");
}

#[test]
fn what_the_user_put_there_is_left_alone() {
    let agent = agent(POSIX);
    let data = make(&agent, "data");
    fs::write(data.join("file"), "").unwrap();
    let outside = agent.path("outside");
    fs::create_dir(&outside).unwrap();
    // A link of the user's, a directory, a file; and a link above.
    for (at, volume_at) in [("db", "db"), ("db", "db/in")] {
        let task = task(&agent, "true", &[volume("data", volume_at)]);
        symlink(&outside, task.sandbox().join(at)).unwrap();
        assert_says(&task.refused(), &["persistent volume \"data\" of role \"prod\"", "/db"]);
    }
    let with_file = task(&agent, "true", &[volume("data", "db")]);
    fs::write(with_file.sandbox().join("db"), "kept").unwrap();
    let at = with_file.sandbox().join("db");
    assert_says(&with_file.refused(), &["something else of that name"]);
    assert_eq!(fs::read_to_string(at).unwrap(), "kept");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    // The task replaces the link: the update that takes the volume away does not touch what is there.
    let container =
        task(&agent, "rm db && mkdir db && echo x > db/own && touch ready; await end", &[volume("data", "db")]);
    let container = container.launch();
    eventually("the task has replaced its link", || container.path("ready").exists());
    change(&container, &[]);
    assert!(container.path("db/own").exists() && data.join("file").exists());
    let output = try_change(&container, &[volume("data", "db")]);
    assert_says(&output.refused(), &["something else of that name"]);
    container.destroy();
}

#[test]
fn what_cannot_be_had_is_refused() {
    let agent = agent(POSIX);
    let reason = task(&agent, "true", &[volume("none", "db")]).refused();
    assert_says(&reason, &["persistent volume \"none\"", "volumes/roles/prod/none is not there", "work_dir"]);
    make(&agent, "data");
    for at in ["/db", "../db", ""] {
        assert_says(&task(&agent, "true", &[volume("data", at)]).refused(), &["container_path"]);
    }
    for id in ["..", "a/b", ""] {
        assert_says(&task(&agent, "true", &[volume(id, "db")]).refused(), &["id is not the name of a directory"]);
    }
    let read_only = task(&agent, "true", &[volume("data", "db").read_only()]).refused();
    assert_says(&read_only, &["read-only", "filesystem/linux"]);
    let twice = task(&agent, "true", &[volume("data", "db"), volume("other", "db/x")]).refused();
    assert_says(&twice, &["one would hide the other"]);

    let role = task(&agent, "true", &[]).edit(|launch| {
        let mut resource = volume("data", "db").resource();
        resource.set_text(6, "../prod");
        launch.edit(3, |executor| executor.0.push((5, Value::Bytes(resource.encode()))));
    });
    assert_says(&role.refused(), &["role is not the name of a directory"]);

    let container = task(&agent, "sleep 1000", &[]).launch();
    assert_says(&try_change(&container, &[volume("none", "db")]).refused(), &["is not there"]);
    container.destroy();
}

#[test]
fn volumes_may_be_on_other_disks() {
    let agent = agent(POSIX);
    let (shared, own) = (agent.path("shared"), agent.path("own"));
    fs::create_dir_all(shared.join("volumes/roles/prod/one")).unwrap();
    fs::create_dir_all(&own).unwrap();
    let volumes = [
        volume("one", "one").source(1, shared.to_str().unwrap()),
        volume("two", "two").source(2, own.to_str().unwrap()),
    ];
    task(&agent, "echo 1 > one/file; echo 2 > two/file", &volumes).launch().complete().assert_status(0);
    assert_eq!(fs::read_to_string(shared.join("volumes/roles/prod/one/file")).unwrap(), "1\n");
    assert_eq!(fs::read_to_string(own.join("file")).unwrap(), "2\n");
}

#[test]
fn only_with_an_isolator_for_it() {
    let agent = Agent::builder().flag("--isolation=posix/cpu,filesystem/shared").build();
    make(&agent, "data");
    let reason = task(&agent, "true", &[volume("data", "db")]).refused();
    assert_says(&reason, &["persistent volume", "filesystem/posix", "filesystem/linux"]);
    let container = task(&agent, "sleep 1000", &[]).launch();
    assert_says(&try_change(&container, &[volume("data", "db")]).refused(), &["persistent volume", "filesystem/linux"]);
    container.destroy();
}

#[test]
fn a_container_without_volumes_may_use_a_disk() {
    let agent = agent(POSIX);
    let source = Message::new().varint(1, 1).message(2, &Message::new().bytes(1, "/nonexistent"));
    let disk = scalar("disk", 16.0).message(7, &Message::new().message(3, &source));
    agent.task("exit 4").resources(vec![disk]).launch().complete().assert_status(4 << 8);
}

#[test]
fn without_root() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let agent = Agent::builder().unprivileged().flag("--isolation=posix/cpu,filesystem/posix").build();
    let data = make(&agent, "data");
    std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
    task(&agent, "echo x > db/file", &[volume("data", "db")]).launch().complete().assert_status(0);
    assert!(data.join("file").exists());
}
