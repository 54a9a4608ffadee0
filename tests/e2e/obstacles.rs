//! Something else stands where the program has, or will have, a file of its state: no verb hangs, the container ends, and its status comes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Container, eventually};
use crate::recovery::assert_seven_or_unknown;
use crate::state;

const BOUND: Duration = Duration::from_secs(20);

type Obstacle = (&'static str, fn(&Path));

const OBSTACLES: [Obstacle; 4] = [
    ("a pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
    ("a directory", |path| fs::create_dir(path).unwrap()),
    ("a directory with something in it", |path| fs::create_dir_all(path.join("a/b")).unwrap()),
    ("a link to nothing", |path| symlink("/nonexistent/x", path).unwrap()),
];

/// All files that a live container may have but its checkpoint and the mark of its commit: without them nobody knows what it is.
const FILES: [&str; 10] = [
    "launch",
    "resources",
    "resources.new",
    "outcome",
    "outcome.new",
    "termination",
    "termination.new",
    "left",
    "log",
    "checkpoint-3-adopted.new",
];

fn put(obstacle: fn(&Path), path: &Path) {
    let _ = fs::remove_file(path);
    obstacle(path);
}

fn running(agent: &Agent) -> Container<'_> {
    let container = agent.task(&format!("echo $$ > pid; {AWAIT_GO}; exit 7")).launch();
    container.pid("pid");
    container
}

/// None of them may hang; what they answer is another matter.
fn ask(container: &Container) {
    container.invoke("usage").spawn().finish_within(BOUND);
    let record = crate::agent::messages::update(&container.id, &[crate::agent::messages::scalar("cpus", 0.5)]).record();
    container.invoke("update").record(record).spawn().finish_within(BOUND);
}

fn assert_clean(agent: &Agent, what: &str) {
    agent.invoke("recover").spawn().finish_within(BOUND).ok();
    assert!(agent.containers().is_empty(), "{what}");
    agent.assert_nothing_left();
    agent.task("exit 3").launch().complete().assert_status(3 << 8);
}

#[test]
fn the_supervisor_lives() {
    for (name, obstacle) in OBSTACLES {
        for file in FILES {
            let what = format!("{name} at {file}");
            let agent = Agent::builder().asks_only_when_told("what it answers is not to be judged").build();
            let container = running(&agent);
            put(obstacle, &agent.state(&container.id).unwrap().join(file));
            ask(&container);
            let wait = container.spawn_wait();
            container.go();
            let end = wait.finish_within(BOUND).termination();
            assert_eq!(end.status, Some(7 << 8), "{what}: {end:?}");
            container.note_end();
            assert_clean(&agent, &what);
        }
    }
}

#[test]
fn the_supervisor_is_dead() {
    for (name, obstacle) in OBSTACLES {
        for file in FILES {
            let what = format!("{name} at {file}");
            let agent = Agent::builder().asks_only_when_told("what it answers is not to be judged").build();
            let container = running(&agent);
            agent.kill_supervisors();
            put(obstacle, &agent.state(&container.id).unwrap().join(file));
            let mut recovered = agent.restart_with_memory();
            ask(&container);
            let wait = recovered.wait(&container);
            container.go();
            println!("{what}");
            assert_seven_or_unknown(&wait.finish_within(BOUND).termination());
            container.note_end();
            assert_clean(&agent, &what);
        }
    }
}

#[test]
fn a_container_that_has_ended() {
    for (name, obstacle) in OBSTACLES {
        for file in ["launch", "facts.x", "answered", "destroyed"] {
            let what = format!("{name} at {file}");
            let agent = Agent::new();
            let container = running(&agent);
            container.go();
            eventually("it has ended", || !agent.live().contains(&container.id));
            put(obstacle, &state::of(&agent).join("ended").join(&container.id).join(file));
            agent.invoke("recover").spawn().finish_within(BOUND).ok();
            let end = container.spawn_wait().finish_within(BOUND).termination();
            assert_eq!(end.status, Some(7 << 8), "{what}: {end:?}");
            container.note_end();
            container.invoke("destroy").spawn().finish_within(BOUND).ok();
            assert_clean(&agent, &what);
        }
    }
}

/// Beside the containers: the mark of the last sweep, what was set aside, and the place of the record.
#[test]
fn places_that_all_containers_share() {
    for (name, obstacle) in OBSTACLES {
        let agent = Agent::new();
        assert!(agent.containers().is_empty());
        put(obstacle, &state::of(&agent).join(".swept"));
        put(obstacle, &state::of(&agent).join("damaged"));
        let container = running(&agent);
        put(obstacle, &state::of(&agent).join("ended").join(&container.id));
        container.go();
        let end = container.spawn_wait().finish_within(BOUND).termination();
        assert_eq!(end.status, Some(7 << 8), "{name}: {end:?}");
        container.note_end();
        // Something to be set aside.
        fs::create_dir(state::of(&agent).join("live/foreign")).unwrap();
        assert_clean(&agent, name);
    }
}
