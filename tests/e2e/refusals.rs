//! What must be refused, with a reason that names it, and what must not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Container, need_root};

#[track_caller]
pub fn assert_says(reason: &str, words: &[&str]) {
    for word in words {
        assert!(reason.contains(word), "{word} is not named: {reason}");
    }
}

#[test]
fn hostile_container_ids_are_refused() {
    let long = "x".repeat(5000);
    for id in ["", ".", "..", "../x", "a/b", "/", "a\0b", "a\nb", &long] {
        let agent = Agent::new();
        let reason = agent.task("exit 0").id(id).refused();
        assert!(reason.len() < 2000, "the whole id is repeated: {} bytes", reason.len());
        assert!(!agent.runtime_dir.join("x").exists());
    }
}

#[test]
fn hostile_container_ids_are_no_way_to_other_files() {
    let agent = Agent::new();
    let container = agent.task("exec sleep 1000").launch();
    for id in ["..", "../live", &format!("../live/{}", container.id)] {
        for verb in ["destroy", "usage", "update", "wait"] {
            let output = agent.about(verb, id).run();
            assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        }
    }
    assert_eq!(agent.containers(), [container.id.as_str()]);
    assert_eq!(container.processes().len(), 1);
    container.destroy();
}

#[test]
fn a_second_launch_of_a_running_container_is_refused() {
    let agent = Agent::new();
    let first = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    let (second, output): (Container, _) = agent.task("touch ran").id(&first.id).try_launch();
    assert_says(&output.refused(), &[&first.id]);
    assert!(!second.path("ran").exists());
    assert_eq!(agent.containers(), [first.id.as_str()]);
    first.go();
    first.complete().assert_status(3 << 8);
}

#[test]
fn a_directory_that_is_relative_or_missing_is_refused() {
    let agent = Agent::new();
    let missing = agent.path("missing");
    let missing = missing.to_str().unwrap();
    assert_says(&agent.task("exit 0").directory("some/where").refused(), &["some/where"]);
    assert_says(&agent.task("exit 0").directory(missing).refused(), &[missing, "No such file or directory"]);
    assert_says(&agent.task("exit 0").edit(|launch| launch.remove(4)).refused(), &["directory"]);
    let file = agent.path("file");
    fs::write(&file, "").unwrap();
    assert_says(&agent.task("exit 0").directory(file.to_str().unwrap()).refused(), &[file.to_str().unwrap()]);
}

#[test]
fn an_unknown_user_is_refused() {
    let agent = Agent::new();
    let reason = agent.task("exit 0").edit(|launch| launch.set_text(5, "no-such-user")).refused();
    assert_says(&reason, &["no-such-user"]);
}

#[test]
fn an_unknown_isolator_is_refused_with_the_list_of_the_known() {
    let agent = Agent::builder().flag("--isolation=posix/cpu,no/such").build();
    assert_says(&agent.task("exit 0").refused(), &["no/such", "posix/cpu", "posix/mem"]);
}

/// Makes a call with a flag that is wrong: any exit code will do but 0.
fn wrong_flag(flag: &str, names: &[&str]) {
    let agent = Agent::new();
    let (_, output) = agent.task("exit 0").flag(flag).try_launch();
    assert!(output.status.code().is_some_and(|code| code != 0), "{output:?}");
    assert_says(&output.stderr, names);
    agent.assert_nothing_left();
}

#[test]
fn wrong_flags_are_refused() {
    wrong_flag("--no_such_flag=1", &["no_such_flag"]);
    wrong_flag("--fetch_timeout=5parsecs", &["fetch_timeout", "5parsecs"]);
    wrong_flag("--quiet=perhaps", &["quiet", "perhaps"]);
}

#[test]
fn an_unknown_verb_is_refused() {
    let agent = Agent::new();
    let output = agent.invoke("lunch").sandbox(agent.task("").sandbox(), None).run();
    assert!(output.status.code().is_some_and(|code| code != 0), "{output:?}");
    assert_says(&output.stderr, &["lunch"]);
}

#[test]
fn a_runtime_directory_that_others_may_write_is_refused() {
    let agent = Agent::new();
    fs::create_dir(&agent.runtime_dir).unwrap();
    fs::set_permissions(&agent.runtime_dir, fs::Permissions::from_mode(0o777)).unwrap();
    let path = agent.runtime_dir.to_str().unwrap();
    let (container, output) = agent.task("exit 0").try_launch();
    assert_says(&output.refused(), &[path]);
    let recover = agent.invoke("recover").sandbox(container.path(""), None).run();
    assert_says(&recover.refused(), &[path]);
}

#[test]
fn a_runtime_directory_of_someone_else_is_refused() {
    need_root!();
    let agent = Agent::new();
    fs::create_dir(&agent.runtime_dir).unwrap();
    std::os::unix::fs::chown(&agent.runtime_dir, Some(65534), Some(65534)).unwrap();
    let (_, output) = agent.task("exit 0").try_launch();
    assert_says(&output.refused(), &[agent.runtime_dir.to_str().unwrap()]);
}
