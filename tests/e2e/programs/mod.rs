//! Isolators that are programs of the operator's own: the trait's shape, proven out of process.

mod hooks;
mod json;
mod prepared;
mod trouble;

use std::fs;
use std::time::{Duration, Instant};

use crate::agent::container::AWAIT_GO;
use crate::agent::wire::Message;
use crate::agent::{Agent, Container, eventually, patient};
use crate::refusals::assert_says;

/// Logs each call and then does what `case` says; anything else it answers with an empty record.
fn isolator(agent: &Agent, name: &str, case: &str) {
    let log = agent.path("calls");
    let script = format!("echo {name} $1 >> {}\ncase $1 in\n{case}\n*) printf '\\0\\0\\0\\0' ;;\nesac", log.display());
    agent.helper(name, &script);
}

fn agent_with(isolation: &str) -> Agent {
    agent_with_timeout(isolation, &format!("{}secs", patient(Duration::from_secs(5)).as_secs()))
}

fn agent_with_timeout(isolation: &str, timeout: &str) -> Agent {
    let agent = Agent::builder()
        .flag(&format!("--isolation={isolation}"))
        .flag(&format!("--isolator_timeout={timeout}"))
        .build();
    fs::write(agent.path("calls"), "").unwrap();
    agent
}

/// A Reply record in a file, for a script to cat.
fn reply(agent: &Agent, name: &str, message: &Message) -> String {
    let path = agent.path(name);
    fs::write(&path, message.record()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn dir_flag(agent: &Agent) -> String {
    format!("--isolator_dir={}", agent.libexec.display())
}

fn launch<'a>(agent: &'a Agent, script: &str) -> Container<'a> {
    agent.task(script).flag(&dir_flag(agent)).launch()
}

fn calls(agent: &Agent) -> Vec<String> {
    fs::read_to_string(agent.path("calls")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn programs_are_called_in_order_and_cleaned_up_in_reverse() {
    let agent = Agent::builder().flag("--isolation=program/one,posix/cpu,program/two");
    let agent = agent.asks_only_when_told("its calls are counted").build();
    fs::write(agent.path("calls"), "").unwrap();
    isolator(&agent, "one", "");
    isolator(&agent, "two", "");
    let container = launch(&agent, &format!("{AWAIT_GO}; exit 3"));
    container.usage();
    container.update(&[("cpus", 0.2)]).ok();
    container.go();
    container.complete().assert_status(3 << 8);
    let all = calls(&agent);
    let of = |call: &str| -> Vec<&str> { all.iter().filter(|c| c.ends_with(call)).map(|c| &c[..3]).collect() };
    for call in ["plan", "prepare", "isolate", "usage", "update"] {
        assert_eq!(of(call), ["one", "two"], "{call}: {all:?}");
    }
    assert_eq!(of("cleanup"), ["two", "one"]);
    let at = |call: &str| all.iter().position(|c| c == call).unwrap();
    assert!(at("one plan") < at("one prepare") && at("one prepare") < at("two plan"), "{all:?}");
    agent.assert_nothing_left();
}

#[test]
fn facts_come_back_and_the_environment_is_set() {
    let agent = agent_with("program/memory");
    let facts = reply(&agent, "facts", &Message::new().bytes(1, "remember-me"));
    let variable = Message::new().bytes(1, "FROM_ISOLATOR").bytes(2, "here");
    let environment = Message::new().message(1, &variable);
    let prepared = reply(&agent, "prepared", &Message::new().message(2, &environment));
    let seen = agent.path("seen");
    let remember = format!("grep -c remember-me >> {}; printf '\\0\\0\\0\\0'", seen.display());
    isolator(
        &agent,
        "memory",
        &format!("plan) cat {facts} ;;\nprepare) cat {prepared} ;;\nisolate|cleanup) {remember} ;;"),
    );
    let container = launch(&agent, "echo $FROM_ISOLATOR");
    container.complete().assert_status(0);
    assert_eq!(container.line("stdout"), "here");
    assert_eq!(fs::read_to_string(seen).unwrap(), "1\n1\n", "isolate and cleanup get the facts of plan");
}

#[test]
fn statistics_are_merged() {
    let agent = agent_with("posix/cpu,program/gauge");
    let statistics = Message::new().double(1, 1.0).varint(27, 4711);
    let sample = reply(&agent, "sample", &Message::new().message(3, &statistics));
    isolator(&agent, "gauge", &format!("usage) cat {sample} ;;"));
    let container = launch(&agent, "sleep 1000");
    let usage = container.usage();
    assert_eq!(usage.message.get_varint(27), Some(4711));
    assert!(usage.cpu_seconds().is_some() && usage.timestamp > 1e9, "the others' figures stand: {usage:?}");
    container.destroy();
}

#[test]
fn a_watch_ends_the_container_with_its_message() {
    let agent = agent_with("program/limit");
    let breach = reply(&agent, "breach", &Message::new().bytes(4, "Too many cats: 3 of 2"));
    isolator(&agent, "limit", &format!("watch) sleep 0.3; cat {breach} ;;"));
    let container = launch(&agent, "setsid sleep 1000 & sleep 1000");
    let end = container.complete();
    end.assert_limit(19);
    assert_eq!((end.message.as_str(), end.status), ("Too many cats: 3 of 2", Some(9)));
    agent.assert_nothing_left();
}

#[test]
fn failures_of_programs_fail_the_launch_and_are_cleaned_up() {
    let error = |agent: &Agent| {
        let message = Message::new().bytes(4, "no room for cats");
        format!("cat {}", reply(agent, "error", &message))
    };
    type Failure<'a> = (&'a str, &'a dyn Fn(&Agent) -> String, &'a str);
    let failures: [Failure<'_>; 5] = [
        ("prepare", &error, "no room for cats"),
        ("isolate", &|_| "exit 7".into(), "exit status: 7"),
        ("plan", &|_| "echo garbage".into(), "neither a record nor JSON"),
        ("prepare", &|_| "yes".into(), "1 MiB"),
        ("prepare", &|_| "kill -9 $$".into(), "signal: 9"),
    ];
    for (call, failure, reason) in failures {
        let agent = agent_with("program/first,program/bad");
        isolator(&agent, "first", "");
        isolator(&agent, "bad", &format!("{call}) {} ;;", failure(&agent)));
        let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
        assert_says(&refused, &["program/bad", call, reason]);
        let all = calls(&agent);
        assert_eq!(all[all.len() - 2..], ["bad cleanup", "first cleanup"], "{all:?}");
        agent.assert_nothing_left();
    }
}

#[test]
fn a_program_that_hangs_is_killed_with_all_it_started() {
    let agent = agent_with_timeout("program/hang", "300ms");
    isolator(&agent, "hang", "prepare) sleep 1000 & sleep 1000 ;;");
    let begin = Instant::now();
    let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
    assert_says(&refused, &["program/hang", "in time"]);
    assert!(begin.elapsed() < patient(Duration::from_secs(5)));
    agent.assert_nothing_left();
}

#[test]
fn a_program_that_is_missing_or_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let agent = agent_with("program/nobody");
    assert_says(&agent.task("exit 0").flag(&dir_flag(&agent)).refused(), &["program/nobody", "No such file"]);
    isolator(&agent, "nobody", "");
    fs::set_permissions(agent.libexec.join("nobody"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_says(&agent.task("exit 0").flag(&dir_flag(&agent)).refused(), &["program/nobody", "writable", "0777"]);
}

/// A program that heard of no resources where there are some would take them away.
#[test]
fn where_resources_cannot_be_read_programs_only_clean_up() {
    let agent = agent_with("program/careful");
    isolator(&agent, "careful", "");
    let container = launch(&agent, "sleep 1000");
    agent.kill_supervisors();
    let state = agent.state(&container.id).unwrap();
    fs::write(state.join("resources"), [0xff, 0xff]).unwrap();
    let mut recovered = agent.restart_with_memory();
    eventually("the log says so", || {
        let log = agent.log(&container.id);
        ["recover", "watch"].iter().all(|call| log.contains(&format!("{call}: the resources in force are not known")))
    });
    let wait = recovered.wait(&container);
    container.destroy();
    wait.finish();
    let all = calls(&agent);
    assert!(!all.iter().any(|call| call == "careful recover"), "{all:?}");
    assert_eq!(all.iter().filter(|call| *call == "careful cleanup").count(), 1, "{all:?}");
    agent.assert_nothing_left();
}
