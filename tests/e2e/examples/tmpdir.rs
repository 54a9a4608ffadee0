//! `acme/tmpdir`, and that a program of one's own finds its helpers.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::agent::container::AWAIT_GO;
use crate::agent::processes::Process;
use crate::agent::{Agent, Builder, NOBODY, need_root};
use crate::refusals::assert_says;

fn builder() -> Builder {
    Agent::builder().example("tmpdir").flag("--isolation=acme/tmpdir")
}

/// Puts a file into $TMPDIR.
const USE: &str = "echo $TMPDIR > seen; echo here > $TMPDIR/file";

#[track_caller]
fn assert_life(agent: &Agent, user: Option<(&str, u32)>) {
    let task = agent.task(USE);
    let container = if let Some((name, _)) = user { task.user(name) } else { task }.launch();
    container.complete().assert_status(0);
    let tmp = container.path("tmp");
    assert_eq!(Path::new(&container.line("seen")), tmp);
    let found = fs::metadata(&tmp).unwrap();
    assert!(found.is_dir());
    assert_eq!(found.permissions().mode() & 0o7777, 0o700);
    let owner = user.map_or_else(|| nix::unistd::geteuid().as_raw(), |(_, uid)| uid);
    assert_eq!((found.uid(), fs::metadata(tmp.join("file")).unwrap().uid()), (owner, owner));
    agent.assert_nothing_left();
}

#[test]
fn the_container_has_a_directory_of_its_own_for_temporary_files() {
    let agent = builder().build();
    assert_life(&agent, None);
    assert!(agent.containers().is_empty());
}

#[test]
fn it_belongs_to_the_containers_user() {
    need_root!();
    assert_life(&builder().build(), Some(("nobody", NOBODY.0)));
    let unprivileged = builder().unprivileged().build();
    assert_life(&unprivileged, Some((&unprivileged.user(), NOBODY.0)));
}

#[test]
fn a_link_in_the_sandbox_is_not_followed() {
    let agent = builder().build();
    let elsewhere = agent.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let task = agent.task("touch ran");
    let sandbox = task.sandbox();
    symlink(&elsewhere, sandbox.join("tmp")).unwrap();
    let reason = task.refused();
    assert_says(&reason, &["isolator acme/tmpdir: prepare: ", "tmp is a symbolic link", "none is followed"]);
    assert!(!sandbox.join("ran").exists());
    assert_eq!(fs::metadata(elsewhere).unwrap().mode() & 0o7777, 0o755, "it is as it was");
}

/// Beside the program they are found, as documented; where they are not what wants them is refused.
#[test]
fn its_helpers_are_beside_it() {
    need_root!();
    let isolation = "--isolation=acme/tmpdir,namespaces/pid";
    let with_init = || Agent::builder().example("tmpdir").flag(isolation).flag("--pid1=init");
    let agent = with_init().helpers_beside().build();
    let container = agent.task(&format!("echo $TMPDIR > seen; {AWAIT_GO}; exit 3")).launch();
    let parent = |pid| Process::find(Process::find(pid).unwrap().parent).unwrap();
    let init = parent(container.first_pid());
    assert_eq!((init.name.as_str(), parent(init.pid).name.as_str()), ("mesos-ecp-init", "tmpdir"));
    assert_eq!(Path::new(&container.line("seen")), container.path("tmp"));
    container.go();
    container.complete().assert_status(3 << 8);
    agent.assert_nothing_left();
    let alone = with_init().own_fetcher(false).build();
    assert_says(&alone.task("true").refused(), &["--pid1=init", "mesos-ecp-init"]);
}
