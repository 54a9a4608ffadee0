//! Programs that crash, hang, flood or go away: no verb hangs for it, no container is lost or left.

use std::fs;
use std::time::{Duration, Instant};

use super::json::{speaker, told};
use super::{agent_with_timeout, calls, launch};
use crate::agent::container::AWAIT_GO;
use crate::agent::processes::Process;
use crate::agent::{Agent, Container, Output, eventually, messages, patient};

/// Far more than what one call may take below.
fn soon() -> Duration {
    patient(Duration::from_secs(8))
}

fn agent() -> Agent {
    let timeout = patient(Duration::from_secs(1));
    agent_with_timeout("program/trouble,posix/cpu", &format!("{}secs", timeout.as_secs()))
}

/// What a program may do instead of answering.
const TROUBLES: [&str; 6] = ["exit 3", "kill -9 $$", "sleep 1000", "yes", "yes >&2", "sleep 1000 & echo garbage"];

/// Launches with a program that is sane until `trouble` comes into being.
fn in_trouble<'a>(agent: &'a Agent, call: &str, trouble: &str) -> Container<'a> {
    let flag = agent.path("trouble").display().to_string();
    let case = format!("{call}) [ -e {flag} ] && {{ {trouble}; }} ;;");
    // The last command's status is the script's, and the flag is not there at first.
    speaker(agent, "trouble", "{}", &format!("{case}\nesac\ncase x in"));
    let container = launch(agent, &format!("{AWAIT_GO}; exit 3"));
    fs::write(&flag, "").unwrap();
    container
}

fn update(container: &Container<'_>) -> Output {
    container.invoke("update").record(messages::update(&container.id, &[messages::scalar("cpus", 0.5)]).record()).run()
}

#[test]
fn usage_goes_on_without_it() {
    for trouble in TROUBLES {
        let agent = agent();
        let container = in_trouble(&agent, "usage", trouble);
        let begin = Instant::now();
        let usage = container.usage();
        assert!(begin.elapsed() < soon(), "{trouble}");
        assert!(usage.cpu_seconds().is_some(), "{trouble}: the other isolator's figures");
        container.go();
        container.complete().assert_status(3 << 8);
        agent.assert_nothing_left();
    }
}

#[test]
fn an_update_fails_in_time() {
    for trouble in TROUBLES {
        let agent = agent();
        let container = in_trouble(&agent, "update", trouble);
        let begin = Instant::now();
        let updated = update(&container);
        assert!(begin.elapsed() < soon() && !updated.status.success(), "{trouble}");
        assert!(updated.stderr.contains("program/trouble: update"), "{trouble}: {}", updated.stderr);
        // The agent's answer to that.
        container.destroy();
        container.wait();
        agent.assert_nothing_left();
    }
}

#[test]
fn a_cleanup_in_trouble_is_written_down_and_keeps_nobody() {
    for trouble in TROUBLES {
        let agent = agent();
        let container = in_trouble(&agent, "cleanup", trouble);
        let begin = Instant::now();
        container.go();
        container.complete().assert_status(3 << 8);
        assert!(begin.elapsed() < soon(), "{trouble}");
        agent.assert_nothing_left();
        assert!(agent.containers().iter().all(|id| *id != container.id), "{trouble}");
    }
}

#[test]
fn a_recover_in_trouble_leaves_the_container_running() {
    for trouble in TROUBLES {
        let agent = agent();
        let container = in_trouble(&agent, "recover", trouble);
        agent.kill_supervisors();
        let begin = Instant::now();
        let mut recovered = agent.restart_with_memory();
        assert!(begin.elapsed() < soon(), "{trouble}");
        let wait = recovered.wait(&container);
        container.go();
        let end = wait.finish_within(soon()).termination();
        container.note_end();
        assert!(!end.killed, "{trouble}: {end:?}");
        agent.assert_nothing_left();
    }
}

#[test]
fn a_watch_in_trouble_leaves_the_container_running() {
    for (trouble, says) in [
        ("exit 3", "does not watch the container any more"),
        ("kill -9 $$", "does not watch the container any more"),
        ("yes", "neither a record nor JSON"),
        ("printf '{\"error\": \"'; head -c 2000000 /dev/zero | tr '\\0' x", "no end"),
        ("yes >&2 & sleep 0.2; kill $!", "watch: y"),
    ] {
        let agent = agent();
        speaker(&agent, "trouble", r#"{"calls": ["watch"]}"#, &format!("watch) {trouble} ;;"));
        let container = launch(&agent, &format!("{AWAIT_GO}; exit 3"));
        let log = || agent.log(&container.id);
        eventually(&format!("{trouble}: the log says \"{says}\""), || log().contains(says));
        assert!(log().len() < 3 << 20, "{trouble}: the log has {} bytes", log().len());
        container.go();
        container.complete().assert_status(3 << 8);
        agent.assert_nothing_left();
    }
}

#[test]
fn a_program_that_is_gone_keeps_nobody() {
    let agent = agent();
    speaker(&agent, "trouble", "{}", "");
    let container = launch(&agent, "sleep 1000");
    fs::remove_file(agent.libexec.join("trouble")).unwrap();
    assert!(container.usage().cpu_seconds().is_some());
    let updated = update(&container);
    assert!(!updated.status.success() && updated.stderr.contains("No such file"), "{}", updated.stderr);
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    container.destroy();
    wait.finish_within(soon());
    agent.assert_nothing_left();
}

#[test]
fn a_watch_that_floods_stderr_is_ended() {
    let agent = agent();
    speaker(&agent, "trouble", r#"{"calls": ["watch"]}"#, "watch) exec yes 0123456789abcdef >&2 ;;");
    let container = launch(&agent, &format!("{AWAIT_GO}; exit 3"));
    eventually("the log says so", || agent.log(&container.id).contains("more than 1 MiB on standard error"));
    let said = container.file("stderr").len();
    // Each line has our words before it.
    assert!((1 << 20..8 << 20).contains(&said), "{said} bytes");
    container.go();
    container.complete().assert_status(3 << 8);
    agent.assert_nothing_left();
}

/// What says that it is the container's must be believed to be only where nobody else can say so.
#[test]
fn processes_of_others_with_the_containers_id_keep_nobody() {
    let agent = Agent::builder().flag("--isolation=program/trouble").flag("--cgroups_destroy_timeout=20secs").build();
    speaker(&agent, "trouble", r#"{"calls": ["cleanup"]}"#, "");
    let container = launch(&agent, "sleep 1000");
    let stop = agent.path("stop");
    let script = format!("while [ ! -e {} ]; do MESOS_CONTAINER_ID={} sleep 0.1; done", stop.display(), container.id);
    let mut other = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let begin = Instant::now();
    let destroyed = container.invoke("destroy").run();
    let took = begin.elapsed();
    fs::write(&stop, "").unwrap();
    assert!(other.wait().unwrap().success());
    destroyed.ok();
    assert!(took < patient(Duration::from_secs(8)), "{took:?}");
    container.wait();
    agent.assert_nothing_left();
}

/// A lock or a socket of the old one's must not be in the new one's way.
#[test]
fn what_a_dead_supervisor_had_called_is_gone_before_recover() {
    let agent = agent_with_timeout("program/slow", "1mins");
    let pids = agent.path("pids").display().to_string();
    let watch =
        format!("watch) [ -e {pids} ] && exit; sleep 1000 & echo $! > {pids}.new; mv {pids}.new {pids}; wait ;;");
    let state = agent.path("state").display().to_string();
    // Of one that nobody has reaped yet it says Z.
    let runs = format!("grep -qs '^State:.[^Z]' /proc/$(cat {pids})/status");
    let recover = format!("recover) {{ {runs} && echo runs || echo gone; }} > {state}.new; mv {state}.new {state} ;;");
    speaker(&agent, "slow", r#"{"calls": ["watch", "recover"]}"#, &format!("{watch}\n{recover}"));
    let container = launch(&agent, "sleep 1000");
    eventually("it watches", || fs::exists(&pids).unwrap());
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    eventually("it is recovered", || fs::exists(&state).unwrap());
    assert_eq!(fs::read_to_string(&state).unwrap(), "gone\n");
    container.destroy();
    wait.finish_within(soon());
    agent.assert_nothing_left();
}

#[test]
fn a_launch_that_is_destroyed_makes_no_further_calls() {
    // The destroy must come while it prepares.
    let (sleep, timeout) = (patient(Duration::from_secs(3)).as_secs(), patient(Duration::from_secs(6)).as_secs());
    let agent = agent_with_timeout("program/slow,program/next", &format!("{timeout}secs"));
    speaker(&agent, "slow", r#"{"calls": ["prepare"]}"#, &format!("prepare) sleep {sleep} ;;"));
    speaker(&agent, "next", "{}", "");
    let (container, launch) = agent.task("touch ran").flag(&super::dir_flag(&agent)).spawn();
    eventually("it prepares", || calls(&agent).contains(&"slow prepare".to_owned()));
    container.destroy();
    assert!(!launch.finish().status.success());
    assert!(!calls(&agent).iter().any(|call| call == "next plan"), "{:?}", calls(&agent));
    agent.assert_nothing_left();
}

/// PR_SET_PDEATHSIG ends the program, and whoever takes over what it has started.
#[test]
fn what_a_dead_supervisor_had_called_is_ended() {
    let agent = agent_with_timeout("program/slow", "1mins");
    let pids = agent.path("pids").display().to_string();
    speaker(
        &agent,
        "slow",
        r#"{"calls": ["watch", "cleanup"]}"#,
        &format!("watch) sleep 1000 & echo $$ $! > {pids}; wait ;;"),
    );
    let container = launch(&agent, "sleep 1000");
    let found = || -> Vec<i32> {
        let text = fs::read_to_string(&pids).unwrap_or_default();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    eventually("it watches", || found().len() == 2);
    let first = found();
    agent.kill_supervisors();
    eventually("the program has ended", || !Process::is_running(first[0]));
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    eventually("the successor's program watches", || found().len() == 2 && found() != first);
    container.destroy();
    wait.finish_within(soon());
    assert!(first.iter().chain(&found()).all(|pid| !Process::is_running(*pid)));
    assert!(calls(&agent).contains(&"slow cleanup".to_owned()) && told(&agent, "cleanup").contains(&container.id));
    agent.assert_nothing_left();
}
