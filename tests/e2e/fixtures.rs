//! What real agents sent, played to the program from launch to the end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::agent::container::AWAIT_GO;
use crate::agent::fixture::{Fixture, documented};
use crate::agent::messages::edit_command;
use crate::agent::wire::Message;
use crate::agent::{Agent, Container, Profile, eventually, need_root};

/// A stand-in for mesos-executor: writes, waits until the test lets it go, and ends with this code.
fn executor(agent: &Agent, code: i32) {
    let script = format!("echo out \"$@\"\necho err >&2\n{AWAIT_GO}\nexit {code}");
    agent.helper("mesos-executor", &script);
}

/// Launches what was captured and makes all the captured calls about it, the last usage after its end.
fn play(name: &str, check: impl Fn(&Container)) {
    for fixture in Fixture::all(name) {
        let agent = fixture.agent().build();
        executor(&agent, 3);
        let container = fixture.task(&agent).launch();
        let wait = fixture.call(&agent, &container, "wait", 0).unwrap().spawn();
        let updates = fixture.calls(&agent, &container, "update", 0);
        assert!(updates.iter().all(|update| update.stdout.is_empty()));
        for usage in fixture.calls(&agent, &container, "usage", 0) {
            let _ = usage.statistics();
        }
        check(&container);
        container.go();
        wait.finish().termination().assert_status(3 << 8);
        for usage in fixture.calls(&agent, &container, "usage", 0) {
            usage.statistics().assert_bare();
        }
        container.note_end();
        agent.assert_nothing_left();
    }
}

#[test]
fn the_documented_launch_prints_its_line_and_ends_with_256() {
    need_root!();
    let agent = Agent::new();
    let container = documented(&agent, "root").launch();
    container.complete().assert_status(256);
    assert_eq!(container.file("stdout"), "No such file or directory\n");
    agent.assert_nothing_left();
}

#[test]
fn command_tasks_of_all_releases_run_to_their_end() {
    need_root!();
    play("command", |container| {
        assert!(container.line("stdout").starts_with("out"));
        // The launch's warnings are there too.
        eventually("err in stderr", || container.file("stderr").lines().any(|line| line == "err"));
        container.usage();
    });
}

#[test]
fn the_arguments_of_newer_agents_reach_the_executor() {
    need_root!();
    let fixture = Fixture::find("1.0.4", "command").unwrap();
    let agent = fixture.agent().build();
    executor(&agent, 0);
    let container = fixture.task(&agent).launch();
    assert_eq!(container.line("stdout"), format!("out --launcher_dir={}", agent.libexec.display()));
    container.go();
    container.complete().assert_status(0);
}

#[test]
fn usage_fixtures_answer_a_record_each_time() {
    need_root!();
    play("usage", |container| {
        container.line("stdout");
        assert!(container.usage().cpu_seconds().is_some());
        assert!(container.usage().mem_rss_bytes().is_some());
    });
}

#[test]
fn tasks_with_ports_and_disk_run_to_their_end() {
    need_root!();
    play("ports-disk", |_| {});
}

#[test]
fn a_task_of_a_quarter_of_a_megabyte_runs_to_its_end() {
    need_root!();
    play("big", |_| {});
}

#[test]
fn custom_executors_of_all_releases_run_their_own_command() {
    need_root!();
    for fixture in Fixture::all("custom-executor") {
        let agent = fixture.agent().build();
        let container = fixture.task(&agent).launch();
        let wait = fixture.call(&agent, &container, "wait", 0).unwrap().spawn();
        fixture.calls(&agent, &container, "usage", 0);
        wait.finish().termination().assert_status(0);
        assert_eq!(container.file("stdout"), "custom my-executor\n");
        container.note_end();
        agent.assert_nothing_left();
    }
}

#[test]
fn network_infos_are_warned_about() {
    need_root!();
    let fixture = Fixture::find("0.28.2", "network-info").unwrap();
    let agent = fixture.agent().build();
    executor(&agent, 0);
    let (container, output) = fixture.task(&agent).launch_with_output();
    let warned = |line: &str| line.starts_with("mesos-ecp: launch: warning: ") && line.contains("network");
    assert!(output.stderr.lines().any(warned), "no warning: {}", output.stderr);
    fixture.calls(&agent, &container, "update", 0);
    container.go();
    container.complete().assert_status(0);
}

/// Launches what cannot be done, with a command that would leave a mark if it ran.
fn refuse(name: &str, says: &str) {
    for fixture in Fixture::all(name) {
        let agent = fixture.agent().build();
        let mark = agent.path("mark");
        agent.helper("mesos-executor", &format!("touch {}", mark.display()));
        let reason = fixture.task(&agent).refused();
        assert!(reason.to_lowercase().contains(says), "{name}: {says} is not named: {reason}");
        assert!(!mark.exists(), "{name} was refused, but its command ran");
    }
}

#[test]
fn docker_containers_are_refused() {
    need_root!();
    refuse("docker", "docker");
}

#[test]
fn images_are_refused() {
    need_root!();
    refuse("mesos-image", "image");
}

#[test]
fn volumes_are_refused() {
    need_root!();
    refuse("mesos-volumes", "volume");
}

#[test]
fn an_executor_that_never_registers_is_destroyed() {
    need_root!();
    for fixture in Fixture::all("executor-never-registers") {
        let agent = fixture.agent().build();
        let hang = |launch: &mut _| edit_command(launch, |command| command.set_text(3, "sleep 1000"));
        let container = fixture.task(&agent).edit(hang).launch();
        let wait = fixture.call(&agent, &container, "wait", 0).unwrap().spawn();
        fixture.calls(&agent, &container, "usage", 0);
        fixture.calls(&agent, &container, "destroy", 0);
        assert!(container.processes().is_empty());
        wait.finish().termination().assert_status(9);
        assert!(agent.containers().is_empty());
        agent.assert_nothing_left();
    }
}

#[test]
fn a_task_outlives_its_agent() {
    need_root!();
    let fixture = Fixture::find("1.0.4", "recovery").unwrap();
    let agent = fixture.agent().build();
    executor(&agent, 3);
    let container = fixture.task(&agent).launch();
    let wait = fixture.call(&agent, &container, "wait", 0).unwrap().spawn();
    fixture.calls(&agent, &container, "update", 0);
    let orphan = wait.orphan();
    let mut recovered = agent.restart_with_memory();
    assert_eq!(recovered.listed, [container.id.as_str()]);
    assert!(recovered.orphans.is_empty() && recovered.lost.is_empty());
    let again = fixture.call(&agent, &container, "wait", 1).unwrap().spawn();
    container.go();
    again.finish().termination().assert_status(3 << 8);
    recovered.wait(&container).finish().termination().assert_status(3 << 8);
    drop(orphan);
}

#[test]
fn uris_are_fetched_before_the_executor_starts() {
    need_root!();
    for fixture in Fixture::all("uris") {
        let agent = fixture.agent().build();
        let artifacts = artifacts(&agent);
        fetch_and_run(&agent, &fixture, &artifacts);
    }
}

#[test]
fn uris_are_fetched_by_the_agents_fetcher_where_ours_is_not_installed() {
    need_root!();
    for fixture in Fixture::all("uris") {
        let agent = fixture.agent().own_fetcher(false).build();
        let artifacts = artifacts(&agent);
        // The program fetches some of them itself; the helper does what it is asked for.
        let from = artifacts.display();
        let fetch = format!("case $asked in *{from}/hello.tar.gz*) tar xzf {from}/hello.tar.gz ;; esac");
        agent.fetcher(&format!("env >> {}\n{fetch}", agent.path("fetcher.log").display()));
        fetch_and_run(&agent, &fixture, &artifacts);
        let environment = fs::read_to_string(agent.path("fetcher.log")).unwrap();
        check_fetcher_environment(&environment, fixture.profile, artifacts.to_str().unwrap());
    }
}

/// Launches with the captured URIs, which are `artifacts` now, and an executor that looks at what came.
fn fetch_and_run(agent: &Agent, fixture: &Fixture, artifacts: &Path) {
    agent.helper("mesos-executor", "ls; test -x tool.sh && cat plain.txt hello.txt");
    let to = artifacts.to_str().unwrap();
    let moved = |command: &mut Message| {
        command.edit(1, |uri| uri.replace(1, "/srv/artifacts", to));
    };
    let container = fixture.task(agent).edit_command(moved).launch();
    container.complete().assert_status(0);
    let stdout = container.file("stdout");
    assert!(stdout.contains("plain.txt\nhello\n"), "{stdout}");
    agent.assert_nothing_left();
}

/// What the captured URIs name.
fn artifacts(agent: &Agent) -> PathBuf {
    let artifacts = agent.path("artifacts-with-a-longer-path-than-before");
    fs::create_dir(&artifacts).unwrap();
    for name in ["tool.sh", "plain.txt"] {
        fs::write(artifacts.join(name), format!("{name}\n")).unwrap();
    }
    archive(&artifacts);
    artifacts
}

/// Makes `hello.tar.gz` with `hello.txt` in it.
fn archive(directory: &Path) {
    fs::write(directory.join("hello.txt"), "hello\n").unwrap();
    let mut tar = std::process::Command::new("tar");
    tar.args(["czf", "hello.tar.gz", "hello.txt"]).current_dir(directory);
    assert!(tar.status().unwrap().success());
    fs::remove_file(directory.join("hello.txt")).unwrap();
}

/// The fetcher got what it fetches in its release's way, and none of the agent's own settings.
fn check_fetcher_environment(environment: &str, profile: &Profile, artifacts: &str) {
    let with = |prefix: &str| environment.lines().find(|line| line.starts_with(prefix));
    let told = with(&format!("{}=", profile.fetching.variable()));
    assert!(told.is_some_and(|told| told.contains(&format!("{artifacts}/hello.tar.gz"))), "{environment}");
    assert_eq!(with("LIBPROCESS_PORT=5051"), None, "the agent's port was passed on");
    assert_eq!(with("MESOS_ECP_"), None);
}
