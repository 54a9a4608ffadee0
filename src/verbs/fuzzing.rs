//! What `launch` finds out from a record and from flags before it makes anything.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};

use super::container_info::{of_json, put_in_force};
use super::launch::{meta_run, untrusted, work_dir_of};
use super::refuse::{persistent_volumes, unheeded, unsupported};
use crate::fuzzing::said;
use crate::launcher::{Facts, container_environment};
use crate::protocol::mesos::containerizer::Launch;

const DEFAULT: &str = r#"{"type":"MESOS","volumes":[{"container_path":"/tmp","host_path":"t","mode":"RW"}]}"#;

/// Nothing that a record has makes it panic; a container that is taken has neither an image nor what is only docker's; paths that are made
/// of it stay where they are meant to be; and its environment has each name once.
pub(crate) fn launch(mut launch: Launch) {
    let untrusted = untrusted(&launch);
    assert!(work_dir_of(&launch).is_none_or(|work_dir| work_dir.is_absolute()));
    let run = meta_run(&launch);
    assert!(run.is_none_or(|run| run.starts_with("meta/slaves/") && !run.split('/').any(|part| part == "..")));
    let by_default = said(put_in_force(&mut launch, Some(DEFAULT))).unwrap_or_default();
    for isolation in [&["posix"][..], &["filesystem/linux", "namespaces/uts", "disk/xfs"]] {
        let isolation: Vec<String> = isolation.iter().map(|name| (*name).to_owned()).collect();
        let info = launch.executor_info.as_ref().and_then(|executor| executor.container.as_ref());
        unheeded(info, &isolation);
        if said(unsupported(&launch, by_default, &isolation, |warning| assert!(!warning.is_empty()))).is_some() {
            assert!(info.is_none_or(
                |info| info.docker.is_none() && info.mesos.as_ref().is_none_or(|mesos| mesos.image.is_none())
            ));
        }
        if let Some(executor) = &launch.executor_info {
            said(persistent_volumes(&executor.resources, &isolation));
        }
    }
    let inherited = [("PATH", "/bin"), ("MESOS_WORK_DIR", "/w"), ("MESOS_SLAVE_ID", "s"), ("LIBPROCESS_PORT", "5051")];
    let inherited = inherited.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    for (name, value) in &inherited {
        untrusted.may_have_set(name, value);
    }
    let isolators = [("X".into(), "1".into())];
    let facts = Facts { launch: &launch, sandbox: OsStr::new("/sandbox"), isolators: &isolators };
    let environment = container_environment(inherited.into_iter(), &facts);
    let mut names: Vec<&OsString> = environment.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
}

/// The value of `--default_container_info`, which is not looked for in a file here.
pub(crate) fn container_info(text: &str) {
    said(of_json(text));
}
