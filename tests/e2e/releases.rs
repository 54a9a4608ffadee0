//! The ways of each line of releases, as far as the stand-in can show them: that it has them right, and what the program makes of
//! them. All of it under all profiles, whatever the profile of this run.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::agent::container::AWAIT_GO;
use crate::agent::fixture::Fixture;
use crate::agent::messages::{scalar, uri};
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Container, Profile, command_task, eventually, messages, need_root, profile};

mod form;

/// Runs it with an agent of each profile, all at the same time.
fn each(test: impl Fn(&Agent) + Sync) {
    std::thread::scope(|scope| {
        let test = &test;
        for profile in &profile::ALL {
            let thread = std::thread::Builder::new().name(format!("an agent of {}", profile.name));
            thread.spawn_scoped(scope, move || test(&Agent::builder().profile(profile).build())).unwrap();
        }
    });
}

fn update(container: &Container, resources: &[(&str, f64)]) -> Message {
    let resources: Vec<_> = resources.iter().map(|(name, value)| scalar(name, *value)).collect();
    messages::update(&container.id, &resources)
}

/// Launch, the first update and the wait at the same moment, usage, the update after the task's end, the end.
#[test]
fn a_command_task_lives_as_with_this_release() {
    each(|agent| {
        for wait_first in [true, false] {
            let container = agent.command_task(&format!("echo out; {AWAIT_GO}; exit 3")).launch();
            let first = container.invoke("update").record(update(&container, &command_task::together()).record());
            let (wait, first) = if wait_first {
                let wait = container.spawn_wait();
                (wait, first.spawn())
            } else {
                let first = first.spawn();
                (container.spawn_wait(), first)
            };
            first.finish().ok();
            let usage = container.usage();
            assert_eq!((usage.cpus_limit(), usage.mem_limit_bytes()), (Some(0.6), Some(96 << 20)), "{usage:?}");
            let alone = command_task::executor_alone(agent.profile);
            container.invoke("update").record(update(&container, &alone).record()).run().ok();
            let usage = container.usage();
            assert_eq!((usage.cpus_limit(), usage.mem_limit_bytes()), (Some(alone[0].1), Some(32 << 20)), "{usage:?}");
            container.go();
            wait.finish().termination().assert_status(3 << 8);
            container.note_end();
        }
        agent.assert_nothing_left();
    });
}

#[test]
fn the_command_executor_is_started_in_the_releases_form() {
    each(|agent| {
        let container = agent.command_task("echo \"task $LIBPROCESS_PORT\"; exit 4").launch();
        container.complete().assert_status(4 << 8);
        let launcher = match agent.profile.name {
            "1.0" => format!("executor --launcher_dir={}\n", agent.libexec.display()),
            _ => String::new(),
        };
        assert!(["task \n", "task 0\n"].map(|task| format!("{launcher}{task}")).contains(&container.file("stdout")));
    });
}

/// Those before 0.23 ask from about a second after the launch to once after the end.
#[test]
fn usage_is_asked_for_every_second_where_the_release_does() {
    each(|agent| {
        let container = agent.task(&format!("echo up; {AWAIT_GO}; exit 5")).launch();
        let other = agent.task("exit 6").launch();
        other.complete().assert_status(6 << 8);
        if agent.profile.polls_usage {
            eventually("three answers, and one after the end", || {
                agent.polled(&container.id) >= 3 && agent.polled(&other.id) >= 1
            });
        }
        // A new agent goes on with it; the old one's wait does so too, under pid 1.
        let orphan = container.spawn_wait().orphan();
        let before = agent.polled(&container.id);
        let mut recovered = agent.restart_with_memory();
        let wait = recovered.wait(&container);
        if agent.profile.polls_usage {
            eventually("an answer to the new agent", || agent.polled(&container.id) > before);
        }
        container.go();
        wait.finish().termination().assert_status(5 << 8);
        container.note_end();
        if agent.profile.polls_usage {
            let all = agent.polled(&container.id);
            eventually("one after the end", || agent.polled(&container.id) > all || all > before + 1);
        } else {
            assert_eq!((agent.polled(&container.id), agent.polled(&other.id)), (0, 0));
        }
        drop(orphan);
        agent.assert_nothing_left();
    });
}

#[test]
fn a_fetcher_is_told_in_the_releases_way() {
    each(|agent| {
        agent.fetcher("echo \"$asked\" > asked; echo fetched > remote.bin; echo more > tool");
        let uris = [uri("hdfs://127.0.0.1:9/remote.bin"), uri("hdfs://127.0.0.1:9/tool").bool(2, true).bool(3, false)];
        let task = uris.iter().fold(agent.task("cat remote.bin"), |task, uri| task.uri(uri.clone()));
        let container = task.launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "fetched\n");
        let asked = container.file("asked");
        match agent.profile.name {
            "0.19" => assert_eq!(asked, "hdfs://127.0.0.1:9/remote.bin+0X hdfs://127.0.0.1:9/tool+1N\n"),
            _ => assert!(asked.contains("remote.bin") && asked.contains("tool"), "{asked}"),
        }
    });
}

/// Frameworks give their tasks to whatever agents there are: an older one hands on what it does not know itself.
#[test]
fn fields_of_newer_frameworks_come_through_older_agents() {
    each(|agent| {
        let newer = |launch: &mut Message| {
            // kill_policy and labels of 1.0's.
            launch.edit(2, |task| task.set(12, Value::Bytes(Message::new().encode())));
            launch.edit(3, |executor| executor.set(14, Value::Bytes(Message::new().encode())));
        };
        agent.command_task("exit 7").edit(newer).launch().complete().assert_status(7 << 8);
        let container = agent.program("/bin/echo", &["echo", "a  b"]).launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "a  b\n");
    });
}

#[test]
fn a_task_that_is_destroyed_is_gone_while_usage_is_asked_for() {
    each(|agent| {
        let container = agent.command_task("trap '' TERM; while :; do sleep 1; done").launch();
        let mut wait = container.spawn_wait();
        wait.assert_running_for(Duration::from_millis(1100));
        container.destroy();
        wait.finish().termination().assert_status(9);
        assert!(agent.containers().is_empty());
        agent.assert_nothing_left();
    });
}

/// Sums of doubles are not limits of their own: 0.1 cpus are 102 shares whichever way the agent comes to them.
#[test]
fn an_executors_cpus_after_its_task_are_the_same_limit_with_every_release() {
    need_root!();
    for profile in &profile::ALL {
        let agent = Agent::builder().profile(profile).flag("--isolation=cgroups/cpu").build();
        let container = agent.command_task("sleep 1000").launch();
        container.update(&command_task::executor_alone(profile));
        let (file, value) =
            if crate::agent::cgroups::is_v1("cpu") { ("cpu.shares", "102") } else { ("cpu.weight", "4") };
        assert_eq!(container.control("cpu", file), value, "{}", profile.name);
        container.destroy();
    }
}

/// Fields and variables of a real agent's calls are those of the stand-in's: no more and no fewer.
#[test]
fn records_and_environments_have_the_form_of_the_captured_ones() {
    for profile in profile::ALL.iter().filter(|profile| profile.captured.is_some()) {
        let agent = Agent::builder().profile(profile).build();
        let find = |name| Fixture::find(profile.captured.unwrap(), name).unwrap();
        form::assert_same(&agent.command_task("exit 0"), &find("command"), profile);
        let custom = find("custom-executor");
        form::assert_same(&agent.task("exit 0"), &custom, profile);
        let last = find("command").record("update", 1).unwrap();
        let sent =
            messages::update("c", &command_task::executor_alone(profile).map(|(name, value)| scalar(name, value)));
        assert_eq!(form::without_ids(&sent), form::without_ids(&Message::of_record(&last)), "{}", profile.name);
    }
}

/// What no agent sent here, taken from the definitions.
#[test]
fn an_agent_of_0_19_sends_no_field_of_later_ones() {
    let agent = Agent::builder().profile(Profile::named("0.19")).build();
    for task in [agent.command_task("exit 0"), agent.task("exit 0")] {
        let later: BTreeSet<_> = ["3.7.6", "3.7.7", "3.11", "3.12", "2.8", "2.9", "2.10", "2.11"].into();
        let sent = form::paths(&task.message());
        assert!(sent.iter().all(|path| !later.contains(path.as_str())), "{sent:?}");
    }
}
