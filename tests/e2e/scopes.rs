//! Whose containers an agent sees: those of its work directory and of this boot.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::agent::{Agent, new_id};
use crate::recovery::lasting;

#[test]
fn agents_with_other_work_directories_see_nothing_of_each_other() {
    let one = Agent::new();
    let other = Agent::builder().beside(&one).build();
    let container = lasting(&one);
    assert!(other.containers().is_empty());
    other.invoke("recover").run().ok();
    other.about("wait", &container.id).run().termination().assert_unknown();
    other.about("usage", &container.id).run().statistics().assert_bare();
    other.about("destroy", &container.id).run().ok();
    assert_eq!(one.containers(), [container.id.as_str()]);
    container.go();
    container.complete().assert_status(7 << 8);
}

#[test]
fn a_work_directory_is_the_same_by_another_name() {
    let one = Agent::new();
    let link = one.path("link");
    symlink(&one.work_dir, &link).unwrap();
    let other = Agent::builder().same_as(&one, &link).build();
    let container = lasting(&one);
    assert_eq!(other.containers(), [container.id.as_str()]);
    let wait = other.about("wait", &container.id).spawn();
    container.go();
    wait.finish().termination().assert_status(7 << 8);
}

/// The directories `<runtime_dir>/<hash>/<boot id>`.
fn boots(agent: &Agent) -> Vec<PathBuf> {
    let below = |path: &PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let hashes: Vec<_> = below(&agent.runtime_dir).collect();
    hashes.iter().flat_map(below).filter(|path| path.join("live").is_dir()).collect()
}

#[test]
fn the_state_of_another_boot_is_void() {
    let agent = Agent::new();
    let ended = lasting(&agent);
    ended.go();
    ended.wait().assert_status(7 << 8);
    assert_eq!(agent.containers(), [ended.id.as_str()]);
    let boots = boots(&agent);
    assert_eq!(boots.len(), 1, "{boots:?}");
    fs::rename(&boots[0], boots[0].with_file_name(new_id())).unwrap();
    assert!(agent.containers().is_empty());
    let recovered = agent.restart_with_memory();
    assert_eq!((recovered.listed.len(), recovered.lost), (0, vec![ended.id.clone()]));
    ended.wait().assert_unknown();
    // And new containers live as ever.
    let container = lasting(&agent);
    container.go();
    container.complete().assert_status(7 << 8);
}

#[test]
fn recover_and_containers_get_along_without_any_state() {
    let agent = Agent::new();
    let recovered = agent.restart_with_memory();
    assert!(recovered.listed.is_empty());
    agent.assert_nothing_left();
}
