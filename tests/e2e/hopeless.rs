//! State that no program can go on with: `recover` never fails for it, `wait` and `destroy` end all the same, everything else goes
//! on, and what was there is set aside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::agent::container::AWAIT_GO;
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Container, need_root, patient};
use crate::recovery::{assert_seven_or_unknown, lasting};
use crate::state;

/// A verb's time for a container that it can do nothing with.
const BOUND: Duration = Duration::from_secs(20);
/// Fields of `Checkpoint` in proto/state.proto.
const VERSION: u32 = 1;
const ISOLATION: u32 = 5;

/// The latest checkpoint: that which counts.
fn checkpoint(container: &Container, agent: &Agent) -> PathBuf {
    let state = agent.state(&container.id).expect("it is live");
    let mut found: Vec<_> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("checkpoint-"));
    found.sort();
    found.pop().expect("it has a checkpoint")
}

fn replace(path: &Path, make: impl Fn(&Path)) {
    fs::remove_file(path).unwrap();
    make(path);
}

fn edit(path: &Path, edit: impl Fn(&mut Message)) {
    let mut message = Message::decode(&fs::read(path).unwrap());
    edit(&mut message);
    fs::write(path, message.encode()).unwrap();
}

type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 10] = [
    ("empty", |path| fs::write(path, "").unwrap()),
    ("cut off", |path| fs::write(path, &fs::read(path).unwrap()[..7]).unwrap()),
    ("noise", |path| fs::write(path, [0xa5; 300]).unwrap()),
    ("a directory", |path| replace(path, |path| fs::create_dir(path).unwrap())),
    ("a pipe", |path| replace(path, |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()))),
    ("a link to itself", |path| replace(path, |path| std::os::unix::fs::symlink(path, path).unwrap())),
    ("endless", |path| replace(path, |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap())),
    ("of no owner", |path| edit(path, |message| message.remove(2))),
    ("of a later version", |path| edit(path, |message| message.set(VERSION, Value::Varint(99)))),
    ("of an isolator that nobody knows", |path| {
        edit(path, |message| message.0.push((ISOLATION, Value::Bytes(b"no/such".to_vec()))));
    }),
];

/// A container that nobody looks after, with processes in two sessions, and the same with a sound state.
fn orphans(agent: &Agent, damage: fn(&Path)) -> [Container<'_>; 2] {
    let sound = lasting(agent);
    let damaged = agent.task("(setsid sleep 1000 &); echo $$ > pid; exec sleep 1000").launch();
    damaged.pid("pid");
    agent.kill_supervisors();
    damage(&checkpoint(&damaged, agent));
    [sound, damaged]
}

#[track_caller]
fn assert_only(agent: &Agent, sound: &Container, damaged: &Container, what: &str) {
    assert_eq!(agent.containers(), [sound.id.as_str()], "{what}");
    assert!(damaged.processes().is_empty(), "{what}: its processes go on");
    damaged.spawn_wait().finish_within(BOUND).termination().assert_unknown();
    damaged.invoke("destroy").spawn().finish_within(BOUND).ok();
    sound.go();
    assert_seven_or_unknown(&sound.complete());
    agent.assert_nothing_left();
}

#[test]
fn recover_goes_on_and_sets_it_aside() {
    for (what, damage) in DAMAGES {
        let agent = Agent::new();
        let [sound, damaged] = orphans(&agent, damage);
        let recover = agent.invoke("recover").sandbox(damaged.path(""), None).spawn().finish_within(BOUND).ok();
        assert!(recover.stderr.contains("set aside as"), "{what}: {}", recover.stderr);
        assert_only(&agent, &sound, &damaged, what);
    }
}

#[test]
fn wait_answers_without_a_recover() {
    for (what, damage) in DAMAGES {
        let agent = Agent::new();
        let [sound, damaged] = orphans(&agent, damage);
        let end = damaged.spawn_wait().finish_within(BOUND).termination();
        end.assert_unknown();
        let said = end.message.clone();
        assert!(said.contains("set aside as") && said.contains(&damaged.id), "{what}: {said}");
        assert_only(&agent, &sound, &damaged, what);
    }
}

#[test]
fn destroy_ends_it_without_a_recover() {
    for (what, damage) in DAMAGES {
        let agent = Agent::new();
        let [sound, damaged] = orphans(&agent, damage);
        damaged.invoke("destroy").spawn().finish_within(BOUND).ok();
        assert_only(&agent, &sound, &damaged, what);
    }
}

#[test]
fn a_later_version_whose_supervisor_lives_is_left_to_it() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    edit(&checkpoint(&container, &agent), |message| message.set(VERSION, Value::Varint(99)));
    agent.invoke("recover").run().ok();
    assert_eq!(agent.containers(), [container.id.as_str()]);
    let wait = container.spawn_wait();
    container.go();
    wait.finish().termination().assert_status(3 << 8);
    container.note_end();
    agent.assert_nothing_left();
}

/// Something that is not a directory where one of ours is to be.
#[test]
fn what_stands_in_the_way_of_the_state_is_set_aside() {
    for depth in ["agent", "boot", "live", "ended"] {
        let agent = Agent::new();
        assert!(agent.containers().is_empty());
        let boot = state::of(&agent);
        let path = match depth {
            "agent" => boot.parent().unwrap().to_owned(),
            "boot" => boot,
            part => boot.join(part),
        };
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, "of somebody else\n").unwrap();
        agent.invoke("recover").spawn().finish_within(BOUND).ok();
        assert!(agent.containers().is_empty(), "{depth}");
        agent.task("exit 3").launch().complete().assert_status(3 << 8);
        agent.assert_nothing_left();
    }
}

/// What somebody made there with root's rights an agent without them can neither read nor move elsewhere.
#[test]
fn what_belongs_to_root_is_set_aside_by_others() {
    need_root!();
    for at in ["live", "ended", "live/foreign"] {
        let agent = Agent::builder().unprivileged().build();
        let sound = lasting(&agent);
        let path = state::of(&agent).join(at);
        if at != "live/foreign" {
            sound.destroy();
            sound.wait();
            fs::remove_dir_all(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let recover = agent.invoke("recover").sandbox(agent.work_dir.clone(), None).spawn().finish_within(BOUND).ok();
        assert!(recover.stderr.contains("set aside as"), "{at}: {}", recover.stderr);
        if at == "live/foreign" {
            assert_eq!(agent.containers(), [sound.id.as_str()]);
            sound.go();
            sound.complete().assert_status(7 << 8);
        }
        assert!(agent.containers().is_empty(), "{at}");
        agent.task("exit 3").launch().complete().assert_status(3 << 8);
        agent.assert_nothing_left();
    }
}

#[test]
fn forty_foreign_directories_do_not_keep_the_agent_waiting() {
    let agent = Agent::new();
    let container = lasting(&agent);
    let live = state::of(&agent).join("live");
    for number in 0..40 {
        fs::create_dir(live.join(format!("foreign-{number}"))).unwrap();
    }
    let begin = Instant::now();
    agent.invoke("recover").spawn().finish_within(BOUND).ok();
    assert!(begin.elapsed() < patient(Duration::from_secs(10)), "recover took {:?}", begin.elapsed());
    assert_eq!(agent.containers(), [container.id.as_str()]);
    container.go();
    container.complete().assert_status(7 << 8);
    agent.assert_nothing_left();
}

/// Nothing in it says whose it is: the first verb that meets it must not spin.
#[test]
fn destroy_and_wait_of_an_empty_directory_end() {
    let agent = Agent::new();
    assert!(agent.containers().is_empty());
    for (verb, id) in [("destroy", "empty-1"), ("wait", "empty-2"), ("update", "empty-3"), ("usage", "empty-4")] {
        fs::create_dir(state::of(&agent).join("live").join(id)).unwrap();
        agent.about(verb, id).spawn().finish_within(BOUND);
    }
    agent.invoke("recover").run().ok();
    assert!(agent.containers().is_empty());
}
