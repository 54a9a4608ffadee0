//! Whole fetches, with a stand-in for `mesos-fetcher`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;

/// Tells the test binary that it is the child process, and where its host is.
const CHILD: &str = "FETCH_TEST_HOST";

/// Writes down its environment, and a file that a later URI replaces.
const STAND_IN: &str = r#"#!/bin/sh
env > "$MESOS_WORK_DIRECTORY/environment"
echo from the archive > "$MESOS_WORK_DIRECTORY/plain.txt"
case "$MESOS_EXECUTOR_URIS" in *broken*) exit 3;; esac
"#;

fn host() -> TempDir {
    let host = TempDir::new().unwrap();
    fs::create_dir(host.path().join("box")).unwrap();
    fs::write(host.path().join("plain.txt"), "copied").unwrap();
    // Renamed into place: a descriptor that another test's child inherited must not make it busy.
    let program = host.path().join("mesos-fetcher");
    let script = Command::new("sh")
        .args(["-c", "cat > \"$1.new\" && chmod 755 \"$1.new\" && mv \"$1.new\" \"$1\"", "sh"])
        .arg(&program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), STAND_IN.as_bytes())?;
            child.wait()
        });
    assert!(script.unwrap().success());
    host
}

fn plan_for(host: &Path, uris: &[&str]) -> Plan {
    let job = Job {
        uris: uris.iter().map(|&uri| Uri::new(uri)).collect(),
        sandbox: host.join("box"),
        user: Some("root".to_owned()),
        frameworks_home: Some(host.to_owned()),
        launcher_dir: Some(host.to_owned()),
        environment: vec![("no_proxy".into(), "here".into())],
        ..Job::default()
    };
    plan(&job, || None).unwrap()
}

fn fetch_as_ourselves(plan: &Plan) -> Result<(), FetchError> {
    let ourselves = (nix::unistd::geteuid(), nix::unistd::getegid());
    fetch(plan, &plan.means(ourselves, std::io::stderr()).unwrap())
}

fn read(host: &TempDir, name: &str) -> String {
    fs::read_to_string(host.path().join("box").join(name)).unwrap()
}

#[test]
fn nothing_is_needed_to_fetch_nothing() {
    let plan = plan(&Job { sandbox: "/nonexistent".into(), ..Job::default() }, || None).unwrap();
    fetch_as_ourselves(&plan).unwrap();
}

#[test]
fn later_uris_win() {
    let host = host();
    fs::write(host.path().join("box/old"), "").unwrap();
    let other = host.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("plain.txt"), "copied last").unwrap();
    fetch_as_ourselves(&plan_for(host.path(), &["plain.txt", "other/plain.txt"])).unwrap();
    assert_eq!(read(&host, "plain.txt"), "copied last");
    fetch_as_ourselves(&plan_for(host.path(), &["http://h/archive.tgz", "plain.txt"])).unwrap();
    assert_eq!(read(&host, "plain.txt"), "copied");
}

#[test]
fn a_failing_fetcher_ends_the_fetch() {
    let host = host();
    let plan = plan_for(host.path(), &["http://h/broken", "http://h/b", "plain.txt"]);
    let message = fetch_as_ourselves(&plan).unwrap_err().to_string();
    assert!(message.contains("did not fetch http://h/broken, http://h/b"), "{message}");
    assert!(message.contains("exit status: 3"), "{message}");
    assert_eq!(read(&host, "plain.txt"), "from the archive\n");
}

#[test]
fn a_fetcher_that_may_not_be_executed_is_explained() {
    let host = host();
    let program = host.path().join("mesos-fetcher");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
    // Not the last: a failed exec in this process would leave it with another disposition of SIGPIPE, all tests' threads.
    let message = fetch_as_ourselves(&plan_for(host.path(), &["http://h/a", "plain.txt"])).unwrap_err().to_string();
    assert!(message.contains("Permission denied"), "{message}");
    assert!(message.contains("the container's user must be able to"), "{message}");
}

/// Run twice: as itself it starts the test binary with this one test, which becomes the stand-in.
#[test]
fn the_process_becomes_the_fetcher() {
    if let Some(host) = std::env::var_os(CHILD) {
        let plan = plan_for(Path::new(&host), &["plain.txt", "http://h/broken"]);
        panic!("{}", fetch_as_ourselves(&plan).unwrap_err());
    }
    let host = host();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetcher::tests::the_process_becomes_the_fetcher"])
        .env(CHILD, host.path())
        .env("LD_PRELOAD", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(read(&host, "plain.txt"), "from the archive\n");
    let environment = read(&host, "environment");
    let mut names: Vec<&str> = environment.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    // The shell sets PWD (and some set SHLVL, OLDPWD and _) by itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    let mut expected = vec![
        "MESOS_CONTAINER_ID",
        "MESOS_EXECUTOR_URIS",
        "MESOS_FETCHER_INFO",
        "MESOS_FRAMEWORKS_HOME",
        "MESOS_WORK_DIRECTORY",
        "PATH",
        "no_proxy",
    ];
    // Only root has anything to give away: see Plan::call.
    if nix::unistd::geteuid().is_root() {
        expected.insert(5, "MESOS_USER");
        expected.sort_unstable();
    }
    assert_eq!(names, expected);
}
