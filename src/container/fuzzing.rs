//! A state directory with any files in it: reading them ends, and what is understood is the same after it was written.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use super::{ContainerDir, ContainerId, EndedDir, Stage, become_owner};
use crate::fuzzing::{Scratch, said};
use crate::proc::Proc;

/// The files that a container may have.
pub(crate) const FILES: [&str; 15] = [
    "checkpoint-1-launched",
    "checkpoint-2-started",
    "checkpoint-3-adopted",
    "committed",
    "committed-destroy",
    "destroy",
    "launch",
    "resources",
    "status",
    "left",
    "outcome",
    "termination",
    "answered",
    "destroyed",
    "facts.network+port_mapping",
];

/// Of a container with these files.
pub(crate) fn directory(files: &[(&str, &[u8])]) {
    let scratch = Scratch::new();
    let id = ContainerId::new("c").unwrap();
    let (live, ended) = (scratch.path().join("live/c"), scratch.path().join("ended/c"));
    fs::create_dir_all(&live).unwrap();
    fs::create_dir(scratch.path().join("ended")).unwrap();
    for (name, content) in files {
        scratch.file(&format!("live/c/{name}"), content);
    }
    let dir = ContainerDir::new(live, id);
    if let Some(Some(checkpoint)) = said(dir.checkpoint()) {
        dir.write_checkpoint(Stage::Adopted, &checkpoint).unwrap();
        assert_eq!(dir.checkpoint().unwrap(), Some(checkpoint));
        said(become_owner(&Proc::default(), &dir));
    }
    if let Some(resources) = said(dir.resources()) {
        dir.write_resources(&resources).unwrap();
        // A NaN is not equal to itself.
        assert_eq!(format!("{:?}", dir.resources().unwrap()), format!("{resources:?}"));
    }
    said(dir.launch());
    said(dir.launched_resources());
    assert_ne!(dir.status(), Some(-1));
    drop((dir.left(), dir.is_committed(), dir.is_destroy_requested()));
    said(dir.facts("network/port_mapping"));
    let outcome = said(dir.outcome()).flatten();
    if let Some(ended) = said(dir.unfinished()).flatten().or(outcome) {
        dir.finish(&ended).unwrap();
    } else {
        dir.move_to_ended().unwrap();
    }
    let record = EndedDir::new(ended);
    said(record.record());
    let listed = record.is_listed(scratch.path());
    assert!(!record.is_expired(scratch.path(), Duration::ZERO) || !listed);
    record.mark_answered().unwrap();
    record.mark_destroyed().unwrap();
    assert!(!record.is_listed(scratch.path()));
}
