//! The state directory: damaged, with foreign things in it, of another boot, and what is kept of ended containers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Container};
use crate::recovery::lasting;

const SECRET: &str = "correct horse battery staple";

fn entries(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The directory of the agent's state since this boot: `live` and `ended` are in it.
pub(crate) fn of(agent: &Agent) -> PathBuf {
    let mut boots = entries(&agent.runtime_dir).into_iter().flat_map(|hash| entries(&hash));
    let boot = boots.find(|boot| boot.join("live").is_dir()).expect("a state directory of this boot");
    assert_eq!(boots.next(), None, "one agent, one boot");
    boot
}

#[track_caller]
fn recover(agent: &Agent) {
    agent.invoke("recover").run().ok();
}

/// Overwrites all that says who looks after the container and how far it got.
fn spoil(agent: &Agent, container: &Container) {
    let spoilt: Vec<_> = entries(&of(agent).join("live").join(&container.id))
        .into_iter()
        .filter(|path| name(path).starts_with("checkpoint-") || name(path) == "committed")
        .collect();
    assert!(!spoilt.is_empty(), "a running container has checkpoints");
    spoilt.iter().for_each(|path| fs::write(path, [0xff; 40]).unwrap());
}

/// Recovers; the spoilt container must be gone and its directory set aside.
#[track_caller]
fn recover_sets_aside(agent: &Agent, spoilt: &Container) {
    let said = agent.invoke("recover").sandbox(spoilt.path(""), None).run().ok().stderr;
    let left: Vec<_> = spoilt.processes().iter().map(|process| process.command_line()).collect();
    assert!(left.is_empty(), "recover has returned, but these still run: {left:?}");
    assert!(!agent.live().contains(&spoilt.id));
    let state = of(agent);
    let aside = entries(&state).iter().any(|path| name(path).starts_with("damaged"));
    // Its supervisor, if that lives, sees its processes' end and writes a record of it.
    let recorded = entries(&state.join("ended")).iter().any(|path| name(path) == spoilt.id);
    assert!(aside != recorded, "set aside: {aside}, ended: {recorded}: {:?}; {said}", entries(&state));
}

/// A task of two sessions.
fn spread(agent: &Agent) -> Container<'_> {
    let container = agent.task("(setsid sleep 1000 &); echo $$ > pid; exec sleep 1000").launch();
    container.pid("pid");
    container
}

#[test]
fn a_container_of_a_damaged_state_is_ended_and_set_aside() {
    let agent = Agent::new();
    let (sound, damaged) = (lasting(&agent), spread(&agent));
    spoil(&agent, &damaged);
    recover_sets_aside(&agent, &damaged);
    assert!(agent.containers().contains(&sound.id), "the other one is untouched");
    damaged.destroy();
    assert_eq!(agent.containers(), [sound.id.as_str()]);
    sound.go();
    sound.complete().assert_status(7 << 8);
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_damaged_state_without_a_supervisor_is_set_aside_too() {
    let agent = Agent::new();
    let damaged = spread(&agent);
    agent.kill_supervisors();
    spoil(&agent, &damaged);
    agent.invoke("containers").run().ok();
    recover_sets_aside(&agent, &damaged);
    assert!(agent.containers().is_empty());
    damaged.spawn_wait().finish_within(Duration::from_secs(10)).termination().assert_unknown();
    damaged.destroy();
    agent.assert_nothing_left();
}

#[test]
fn foreign_things_among_the_containers_do_no_harm() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let live = of(&agent).join("live");
    fs::write(live.join("a-file"), "of somebody else\n").unwrap();
    symlink("/nowhere/at/all", live.join("a-link")).unwrap();
    fs::create_dir(live.join("a-directory")).unwrap();

    agent.invoke("containers").run().ok();
    recover(&agent);
    assert_eq!(agent.containers(), [container.id.as_str()]);
    recover(&agent);
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.go();
    container.complete().assert_status(7 << 8);
    assert!(agent.containers().is_empty());
}

#[test]
fn the_state_of_another_boot_is_removed() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let state = of(&agent);
    let other = state.parent().unwrap().join("0f2c1c1e-9a6f-4c0e-8f2e-3d1c5f0a7b11");
    for part in ["live", "ended"] {
        let old = other.join(part).join("old-container");
        fs::create_dir_all(&old).unwrap();
        fs::write(old.join("launch"), SECRET).unwrap();
    }
    recover(&agent);
    assert!(!other.exists(), "{:?}", entries(&other));
    assert_eq!(agent.containers(), [container.id.as_str()], "this boot's stay");
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn what_was_answered_and_noted_is_forgotten_after_its_retention() {
    let agent = Agent::builder().flag("--answered_retention=1ms").build();
    let [noted, unnoted, unasked] = [3, 4, 5].map(|code| agent.task(&format!("{AWAIT_GO}; exit {code}")).launch());
    let ended = of(&agent).join("ended");
    for container in [&noted, &unnoted, &unasked] {
        container.go();
    }
    unnoted.wait().assert_status(4 << 8);
    noted.complete().assert_status(3 << 8);
    agent.assert_nothing_left();
    recover(&agent);
    assert!(!ended.join(&noted.id).exists(), "{:?}", entries(&ended));
    noted.wait().assert_unknown();
    // The agent may not know about these yet.
    unnoted.wait().assert_status(4 << 8);
    unasked.wait().assert_status(5 << 8);
}

#[test]
fn no_retention_at_all_is_no_harm_to_what_was_not_noted() {
    let agent = Agent::new();
    let container = lasting(&agent);
    container.go();
    container.wait().assert_status(7 << 8);
    let output = agent.invoke("recover").flag("--answered_retention=0secs").sandbox(container.path(""), None).run();
    // It may be refused, by its name.
    assert!(output.status.success() || output.stderr.contains("answered_retention"), "{output:?}");
    container.wait().assert_status(7 << 8);
}

#[test]
fn an_answered_record_is_kept_for_the_usual_retention() {
    let agent = Agent::new();
    let container = lasting(&agent);
    container.go();
    container.complete().assert_status(7 << 8);
    let ended = of(&agent).join("ended").join(&container.id);
    for _ in 0..2 {
        recover(&agent);
        assert!(ended.is_dir(), "forgotten too early");
        container.wait().assert_status(7 << 8);
    }
    assert!(agent.containers().is_empty());
}

#[test]
fn a_tasks_secrets_are_not_kept_after_its_end() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).env("PASSWORD", SECRET).launch();
    let state = of(&agent);
    assert!(state.join("live").join(&container.id).is_dir());
    container.go();
    container.wait().assert_status(3 << 8);
    agent.assert_nothing_left();
    let ended = state.join("ended").join(&container.id);
    for path in entries(&ended) {
        let bytes = fs::read(&path).unwrap_or_default();
        let secret = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!secret, "{} holds the task's secret", path.display());
    }
}
