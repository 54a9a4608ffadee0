//! What is written into a state directory is what is read there.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{ContainerDir, ContainerId, EndedDir, Stage};
use crate::protocol::mesos::Resource;
use crate::protocol::mesos::containerizer::Termination;
use crate::protocol::mesos::value::{Range, Ranges, Scalar};
use crate::protocol::state::{Checkpoint, Described, Ended, Hierarchy, Process};

prop_compose! {
    fn process()(pid: i32, start_time: u64) -> Process {
        Process { pid, start_time }
    }
}

prop_compose! {
    fn hierarchy()(mount_point: String, unified: Option<bool>, controllers: Vec<String>) -> Hierarchy {
        Hierarchy { mount_point, unified, controllers }
    }
}

prop_compose! {
    fn checkpoint()(
        (version, adopted, isolation, mark, init) in any::<(u32, Option<bool>, Vec<String>, Option<String>, Option<bool>)>(),
        (sandbox, user, meta_run, isolator_dir) in any::<(Option<String>, Option<String>, Option<String>, Option<String>)>(),
        (destroy_timeout_ms, cgroups_root, launcher, pid_namespace) in any::<(Option<u64>, Option<String>, Option<String>, Option<bool>)>(),
        owner in process(),
        first in prop::option::of(process()),
        hierarchies in prop::collection::vec(hierarchy(), 0..4),
        described in any::<Vec<(String, Vec<u8>)>>(),
    ) -> Checkpoint {
        let described =
            described.into_iter().map(|(isolator, description)| Described { isolator, description }).collect();
        Checkpoint {
            version, owner, adopted, first, isolation, sandbox, user, meta_run, isolator_dir, destroy_timeout_ms, hierarchies,
            cgroups_root, launcher, pid_namespace, init, described, mark,
        }
    }
}

prop_compose! {
    fn ended()(
        (version, destroyed, meta_run) in any::<(u32, Option<bool>, Option<String>)>(),
        at in prop::option::of(0.0..1e12),
        (killed, message, status, state, reasons) in any::<(bool, Option<String>, Option<i32>, Option<i32>, Vec<i32>)>(),
    ) -> Ended {
        let termination = Termination { killed, message, status, state, reasons };
        Ended { version, termination, at, destroyed, meta_run }
    }
}

prop_compose! {
    fn resource()(name: String, value in 0.0..1e9, ranges in any::<Option<Vec<(u64, u64)>>>()) -> Resource {
        let range = |(begin, end)| Range { begin, end };
        let ranges = ranges.map(|all| Ranges { range: all.into_iter().map(range).collect() });
        Resource { name, scalar: Some(Scalar { value }), ranges, ..Resource::default() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn state_is_read_as_it_was_written(
        checkpoints in prop::collection::vec(checkpoint(), 3),
        ended in ended(),
        resources in prop::collection::vec(resource(), 0..5),
        (facts, figures, status) in any::<(Vec<u8>, Vec<u8>, i32)>(),
    ) {
        let base = tempfile::tempdir().unwrap();
        let live = base.path().join("live/c");
        std::fs::create_dir_all(&live).unwrap();
        std::fs::create_dir(base.path().join("ended")).unwrap();
        let dir = ContainerDir::new(live.clone(), ContainerId::new("c").unwrap());
        for (stage, checkpoint) in [Stage::Launched, Stage::Started, Stage::Adopted].into_iter().zip(&checkpoints) {
            dir.write_checkpoint(stage, checkpoint).unwrap();
            prop_assert_eq!(dir.checkpoint().unwrap(), Some(checkpoint.clone()));
        }
        dir.write_resources(&resources).unwrap();
        prop_assert_eq!(dir.resources().unwrap(), resources);
        dir.write_facts("a/b", &facts).unwrap();
        dir.write_figures("a/b", &figures).unwrap();
        prop_assert_eq!((dir.facts("a/b").unwrap(), dir.figures("a/b").unwrap()), (facts, Some(figures)));
        std::fs::write(live.join("status"), status.to_ne_bytes()).unwrap();
        prop_assert_eq!(dir.status(), Some(status).filter(|status| *status != -1));
        dir.write_outcome(&ended).unwrap();
        prop_assert_eq!(dir.outcome().unwrap(), Some(ended.clone()));
        dir.finish(&ended).unwrap();
        let record = EndedDir::new(base.path().join("ended/c"));
        prop_assert_eq!(record.record().unwrap(), Some(ended.clone()));
        prop_assert_eq!(record.is_listed(base.path()), !ended.destroyed());
    }
}

/// What tests/e2e/upgrade.rs reads: see there for how to keep more.
#[test]
fn there_is_a_sample_of_each_version() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state");
    let names: Vec<_> =
        std::fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for version in 1..=super::STATE_VERSION {
        assert!(names.iter().any(|name| name.starts_with(&format!("{version}-"))), "none of {version} in {names:?}");
    }
}
