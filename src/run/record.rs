//! What a command line asks for, as the record that an agent would send to launch.
#![forbid(unsafe_code)]

use std::path::Path;

use crate::cli::ToRun;
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::protocol::mesos::containerizer::Launch;
use crate::protocol::mesos::environment::Variable;
use crate::protocol::mesos::{
    self, CommandInfo, ContainerInfo, Environment, ExecutorId, ExecutorInfo, Volume, command_info::Uri, container_info,
    volume::Mode,
};
use crate::protocol::resources::text;

/// The record of a container of this id with its sandbox in `directory`.
///
/// # Errors
/// Resources or volumes that cannot be read, and a directory that is not UTF-8.
pub(super) fn launch(to_run: &ToRun, id: &ContainerId, directory: &Path) -> Result<Launch> {
    let given = to_run.resources.as_deref().unwrap_or_default();
    let resources = text::parse(given).map_err(|e| Error::Refused(format!("--resources: {e}")))?;
    let volumes = to_run.volumes.iter().map(|text| volume(text)).collect::<Result<Vec<_>>>()?;
    let variables = to_run.environment.iter().cloned().map(|(name, value)| Variable { name, value }).collect();
    let uri = |value: &String| Uri { value: value.clone(), ..Uri::default() };
    let command = CommandInfo {
        shell: Some(false),
        value: to_run.command.first().cloned(),
        arguments: to_run.command.clone(),
        environment: Some(Environment { variables }),
        uris: to_run.uris.iter().map(uri).collect(),
        ..CommandInfo::default()
    };
    let container = ContainerInfo { r#type: container_info::Type::Mesos as i32, volumes, ..ContainerInfo::default() };
    let executor = ExecutorInfo {
        executor_id: ExecutorId { value: id.to_string() },
        command,
        resources,
        container: Some(container).filter(|container| !container.volumes.is_empty()),
        ..ExecutorInfo::default()
    };
    let directory = directory.to_str().ok_or_else(|| {
        Error::Refused(format!("the sandbox {} is not valid UTF-8, which a record needs", directory.display()))
    })?;
    Ok(Launch {
        container_id: mesos::ContainerId { value: id.to_string() },
        executor_info: Some(executor),
        directory: Some(directory.to_owned()),
        user: to_run.user.clone(),
        ..Launch::default()
    })
}

/// `HOST:CONTAINER`, `HOST:CONTAINER:ro` or `HOST:CONTAINER:rw`.
fn volume(text: &str) -> Result<Volume> {
    let (paths, mode) = match text.rsplit_once(':') {
        Some((paths, "ro")) => (paths, Mode::Ro),
        Some((paths, "rw")) => (paths, Mode::Rw),
        _ => (text, Mode::Rw),
    };
    match paths.split_once(':') {
        Some((host, container)) if !host.is_empty() && !container.is_empty() && !container.contains(':') => {
            Ok(Volume {
                container_path: container.to_owned(),
                host_path: Some(host.to_owned()),
                mode: mode as i32,
                ..Volume::default()
            })
        }
        _ => Err(Error::Refused(format!("--volume={text}: write --volume=HOST:CONTAINER, with :ro or :rw behind it"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(to_run: ToRun) -> Result<Launch> {
        launch(&to_run, &ContainerId::new("c1").unwrap(), Path::new("/s"))
    }

    #[test]
    fn the_record_has_all_that_was_asked_for() {
        let launch = of(ToRun {
            resources: Some("cpus:0.5;mem:64".into()),
            user: Some("nobody".into()),
            environment: vec![("A".into(), "1".into())],
            uris: vec!["/file".into()],
            volumes: vec!["/h:/c:ro".into(), "/h:c".into()],
            command: vec!["echo".into(), "x y".into()],
            ..ToRun::default()
        })
        .unwrap();
        assert_eq!((launch.container_id.value.as_str(), launch.directory()), ("c1", "/s"));
        assert_eq!(launch.user(), "nobody");
        let executor = launch.executor_info.unwrap();
        assert_eq!(text::print(&executor.resources), "cpus:0.5;mem:64");
        let command = executor.command;
        assert_eq!(
            (command.shell(), command.value(), command.arguments.as_slice()),
            (false, "echo", &["echo".into(), "x y".to_owned()][..])
        );
        assert_eq!(command.uris[0].value, "/file");
        assert_eq!(command.environment.unwrap().variables[0].name, "A");
        let container = executor.container.unwrap();
        assert_eq!(container.r#type, container_info::Type::Mesos as i32);
        let volumes: Vec<_> = container.volumes.iter().map(|v| (v.host_path(), &*v.container_path, v.mode)).collect();
        assert_eq!(volumes, [("/h", "/c", Mode::Ro as i32), ("/h", "c", Mode::Rw as i32)]);
    }

    #[test]
    fn a_plain_command_has_no_container_and_no_user() {
        let launch = of(ToRun { command: vec!["true".into()], ..ToRun::default() }).unwrap();
        assert!(launch.user.is_none() && launch.executor_info.unwrap().container.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let said = |to_run: ToRun| of(to_run).unwrap_err().to_string();
        assert!(said(ToRun { resources: Some("mem".into()), ..ToRun::default() }).starts_with("--resources: entry 1"));
        for volume in ["", ":", "/h", "/h:", ":/c", "/h:/c:/d", "/h:ro"] {
            let said = said(ToRun { volumes: vec![volume.into()], ..ToRun::default() });
            assert!(said.starts_with(&format!("--volume={volume}: write")), "{said}");
        }
    }
}
