//! What is fetched, as whom and to where, and fetches that take too long or cannot be done.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::agent::messages::uri;
use crate::agent::{Agent, NOBODY, need_root, patient};
use crate::refusals::assert_says;

/// A URI that only the agent's `mesos-fetcher` can fetch.
const REMOTE: &str = "hdfs://127.0.0.1:9/remote.bin";

/// A file of this host, outside all sandboxes, with this mode.
fn artifact(agent: &Agent, name: &str, mode: u32) -> PathBuf {
    let path = agent.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("this is {name}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_fetch_that_takes_too_long_fails_the_launch() {
    let agent = Agent::builder().flag("--fetch_timeout=500ms").build();
    agent.fetcher("sleep 1000 & sleep 1000");
    let mark = agent.path("mark");
    let begin = Instant::now();
    let reason = agent.task(&format!("touch {}", mark.display())).uri(uri(REMOTE)).refused();
    // Neither the default of ten minutes nor the thousand seconds, however much else goes on here.
    assert!(begin.elapsed() < patient(Duration::from_secs(25)), "{:?}", begin.elapsed());
    assert_says(&reason, &["--fetch_timeout"]);
    assert!(!mark.exists(), "the command ran without its file");
}

#[test]
fn a_file_that_the_user_may_not_read_is_refused() {
    need_root!();
    let agent = Agent::new();
    let secret = artifact(&agent, "secret.txt", 0o600);
    let (container, output) = agent.task("exit 0").user("nobody").uri(uri(text(&secret))).try_launch();
    assert_says(&output.refused(), &[text(&secret), "Permission denied", "user nobody"]);
    assert!(!container.path("secret.txt").exists(), "root's file came to the user");
    agent.assert_nothing_left();
    // Root itself may.
    let container = agent.task("cat secret.txt").uri(uri(text(&secret))).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "this is secret.txt\n");
}

#[test]
fn a_fetched_file_is_the_users_and_executable_if_asked() {
    need_root!();
    let agent = Agent::new();
    let tool = artifact(&agent, "tool.sh", 0o644);
    let plain = artifact(&agent, "plain.txt", 0o644);
    let task = agent.task("test -x tool.sh && test -O tool.sh && test -O plain.txt && ! test -x plain.txt");
    let task = task.user("nobody").uri(uri(text(&tool)).bool(2, true)).uri(uri(text(&plain)));
    let container = task.launch();
    container.complete().assert_status(0);
    for (name, mode) in [("tool.sh", 0o755), ("plain.txt", 0o644)] {
        let found = fs::metadata(container.path(name)).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (mode, NOBODY.0, NOBODY.1), "{name}");
    }
}

#[test]
fn a_relative_uri_is_below_frameworks_home() {
    let home = tempfile::Builder::new().prefix("ecp-e2e-home-").tempdir_in("/tmp").unwrap();
    fs::create_dir(home.path().join("lib")).unwrap();
    fs::write(home.path().join("lib/part.txt"), "a part\n").unwrap();
    let agent = Agent::builder().flag(&format!("--frameworks_home={}", home.path().display())).build();
    let container = agent.task("cat part.txt").uri(uri("lib/part.txt")).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "a part\n");
    assert_says(&agent.task("exit 0").uri(uri("lib/missing.txt")).refused(), &["lib/missing.txt"]);
}

#[test]
fn a_relative_uri_without_frameworks_home_is_refused() {
    let agent = Agent::new();
    assert_says(&agent.task("exit 0").uri(uri("lib/part.txt")).refused(), &["lib/part.txt", "--frameworks_home"]);
}

#[test]
fn an_output_file_may_lie_in_a_subdirectory() {
    let agent = Agent::new();
    let plain = artifact(&agent, "plain.txt", 0o644);
    let task = agent.task("cat deep/down/renamed.txt; test ! -e plain.txt");
    let container = task.uri(uri(text(&plain)).bytes(5, "deep/down/renamed.txt")).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "this is plain.txt\n");
}

#[test]
fn an_output_file_outside_the_sandbox_is_refused() {
    let agent = Agent::new();
    let plain = artifact(&agent, "plain.txt", 0o644);
    for output in ["../escaped.txt", text(&agent.path("escaped.txt"))] {
        let reason = agent.task("exit 0").uri(uri(text(&plain)).bytes(5, output)).refused();
        assert_says(&reason, &[output]);
    }
    assert!(!agent.path("escaped.txt").exists());
}

#[test]
fn more_uris_than_a_fetcher_can_be_told_fail_at_once() {
    let agent = Agent::new();
    agent.fetcher("sleep 1000");
    let many = (0..2500).map(|n| uri(&format!("hdfs://127.0.0.1:9/some/directory/of/a/server/file-{n}.bin")));
    let task = many.fold(agent.task("exit 0"), |task, uri| task.uri(uri));
    let (_, launch) = task.spawn();
    // The fetcher would take its time, and the default of --fetch_timeout is ten minutes.
    let output = launch.finish();
    let reason = output.refused();
    assert!(!reason.contains("--fetch_timeout"), "{reason}");
    agent.assert_nothing_left();
}
