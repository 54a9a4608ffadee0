//! docs/isolators.md: its listings are the examples, and these do what it says, whatever is killed when.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::agent::container::AWAIT_GO;
use crate::agent::processes::{self, Process};
use crate::agent::{Agent, eventually, messages};
use crate::refusals::assert_says;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> String {
    fs::read_to_string(package().join("examples/isolators").join(name)).unwrap()
}

#[test]
fn the_listings_are_the_examples() {
    let guide = fs::read_to_string(package().join("docs/isolators.md")).unwrap();
    let mut listings = 0;
    let mut rest = &guide[..];
    while let Some((_, after)) = rest.split_once("\n<!-- ") {
        let (name, after) = after.split_once(" -->\n```").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let (listing, after) = after.split_once("```\n").unwrap();
        assert_eq!(listing, fs::read_to_string(package().join(name)).unwrap(), "{name}");
        (listings, rest) = (listings + 1, after);
    }
    assert_eq!(listings, 3);
}

/// Installs an example, with a directory of the test's own in place of the host's.
fn install(agent: &Agent, name: &str) -> PathBuf {
    let slots = agent.path("licences");
    agent.copy_of(name, &example(name).replace("/run/licences", slots.to_str().unwrap()));
    slots
}

fn agent(isolators: &[&str]) -> (Agent, PathBuf) {
    let isolation: Vec<String> = isolators.iter().map(|name| format!("program/{name}")).collect();
    let agent = Agent::builder().flag(&format!("--isolation={}", isolation.join(","))).build();
    let slots = isolators.iter().map(|name| install(&agent, name)).next_back().unwrap();
    (agent, slots)
}

fn dir(agent: &Agent) -> String {
    format!("--isolator_dir={}", agent.libexec.display())
}

fn taken(slots: &Path) -> usize {
    fs::read_dir(slots).map_or(0, Iterator::count)
}

#[test]
fn licences_run_out_and_come_back() {
    let (agent, slots) = agent(&["licence"]);
    let script = format!("echo $LICENCE; {AWAIT_GO}");
    let all: Vec<_> = (0..3).map(|_| agent.task(&script).flag(&dir(&agent)).launch()).collect();
    let mut numbers: Vec<String> = all.iter().map(|container| container.line("stdout")).collect();
    numbers.sort();
    assert_eq!(numbers, ["1", "2", "3"]);
    let (_, refused) = agent.task("exit 0").flag(&dir(&agent)).try_launch();
    assert!(!refused.status.success());
    assert_says(&refused.stderr, &["program/licence", "all 3 licences are taken"]);
    assert_eq!(taken(&slots), 3, "who was refused has taken none, and given none back");
    all[1].go();
    all[1].complete().assert_status(0);
    let next = agent.task(&script).flag(&dir(&agent)).launch();
    assert_eq!(next.line("stdout"), all[1].line("stdout"));
    for container in [&all[0], &all[2], &next] {
        container.destroy();
        container.wait();
    }
    assert_eq!(taken(&slots), 0);
    agent.assert_nothing_left();
}

#[test]
fn processes_are_counted_and_too_many_end_the_container() {
    let (agent, _) = agent(&["processes"]);
    let few = agent.task("sleep 1000 & sleep 1000 & wait").flag(&dir(&agent)).launch();
    eventually("the shell and two others", || few.usage().message.get_varint(30) == Some(3));
    // Anybody may call a process what he likes.
    let named = Command::new("perl").args(["-e", r#"$0 = "\xff\xfe) 1 2"; print "x"; $| = 1; sleep 1000"#]).spawn();
    let mut named = named.unwrap();
    eventually("it has its name", || {
        fs::read(format!("/proc/{}/comm", named.id())).is_ok_and(|name| name.starts_with(b"\xff\xfe"))
    });
    let count = few.usage().message.get_varint(30);
    named.kill().and_then(|()| named.wait()).unwrap();
    assert_eq!(count, Some(3));
    few.destroy();
    few.wait();
    let many = agent.task("for i in $(seq 60); do sleep 1000 & done; wait").flag(&dir(&agent)).launch();
    let end = many.complete();
    assert!(
        end.killed && end.message.starts_with("Too many processes: ") && end.message.ends_with(" of 50"),
        "{end:?}"
    );
    agent.assert_nothing_left();
}

/// What is killed in the middle of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Victim {
    Program,
    Caller,
    Both,
}

/// Puts a program in front of the example, which stops for ever in `call`, once, before or after that was carried out.
fn stop_in(agent: &Agent, name: &str, call: &str, before: bool) {
    let real = agent.copy_of(&format!("real-{name}"), &fs::read_to_string(agent.libexec.join(name)).unwrap());
    let (stopped, real) = (agent.path("stopped"), real.display().to_string());
    let act = if before { String::new() } else { format!("{real} $1 > /dev/null;") };
    // In describe there is no container by which what a program has started could be found later.
    let sleep = if call == "describe" { "exec sleep 1000" } else { "sleep 1000" };
    let stop = format!("{act} echo $$ $PPID > {0}.new; mv {0}.new {0}; {sleep}", stopped.display());
    agent.helper(
        name,
        &format!("if [ $1 = {call} ] && [ ! -e {} ]; then {stop}; fi\nexec {real} $1", stopped.display()),
    );
}

fn kill(agent: &Agent, victim: Victim) {
    let stopped = agent.path("stopped");
    eventually("the call is under way", || stopped.exists());
    let text = fs::read_to_string(&stopped).unwrap();
    let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let victims = match victim {
        Victim::Program => &pids[..1],
        Victim::Caller => &pids[1..],
        Victim::Both => &pids[..],
    };
    victims.iter().for_each(|pid| processes::signal(*pid, Signal::SIGKILL));
    eventually("they are gone", || victims.iter().all(|pid| !Process::is_running(*pid)));
}

/// In each call that it takes part in, before and after that was carried out.
fn survives(name: &str, calls: &[&str]) {
    for call in calls {
        for before in [true, false] {
            // Carried out it is when the container has ended.
            if *call == "watch" && !before {
                continue;
            }
            for victim in [Victim::Program, Victim::Caller, Victim::Both] {
                let (agent, slots) = agent(&[name]);
                let when = format!("{name}: {victim:?} killed in {call}, before: {before}");
                stop_in(&agent, name, call, before);
                let (container, launch) = agent.task("sleep 1000").flag(&dir(&agent)).spawn();
                let of_launch = ["describe", "prepare"].contains(call);
                if of_launch {
                    kill(&agent, victim);
                }
                let launched = launch.finish().status.success();
                assert_eq!(launched, !of_launch, "{when}");
                if launched {
                    container.remember();
                    let measure = (*call == "usage").then(|| container.invoke("usage").spawn());
                    let destroy = (*call == "cleanup").then(|| container.invoke("destroy").spawn());
                    kill(&agent, victim);
                    // Whoever was killed need not answer.
                    drop(measure.map(|call| call.finish()));
                    drop(destroy.map(|call| call.finish()));
                }
                let mut recovered = agent.restart_with_memory();
                if launched && recovered.listed.contains(&container.id) {
                    let wait = recovered.wait(&container);
                    container.destroy();
                    wait.finish();
                }
                agent.assert_nothing_left();
                eventually(&format!("{when}: no licence is left"), || taken(&slots) == 0);
            }
        }
    }
}

#[test]
fn the_shell_example_survives_a_kill_in_each_call() {
    survives("licence", &["describe", "prepare", "cleanup"]);
}

#[test]
fn the_python_example_survives_a_kill_in_each_call() {
    survives("processes", &["describe", "usage", "watch"]);
}

/// Others go on as if nothing were.
#[test]
fn a_take_over_changes_nothing_for_others() {
    let (agent, slots) = agent(&["licence"]);
    let (one, two) =
        (agent.task("sleep 1000").flag(&dir(&agent)).launch(), agent.task("sleep 1000").flag(&dir(&agent)).launch());
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let waits = [recovered.wait(&one), recovered.wait(&two)];
    one.invoke("update").record(messages::update(&one.id, &[messages::scalar("cpus", 0.3)]).record()).run().ok();
    assert_eq!(taken(&slots), 2);
    one.destroy();
    assert_eq!(taken(&slots), 1, "that of the other one");
    two.destroy();
    for wait in waits {
        wait.finish();
    }
    assert_eq!(taken(&slots), 0);
    agent.assert_nothing_left();
}
