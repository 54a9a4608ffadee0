//! What a launch record may ask for that this program does not do: refused before anything is made, so that nothing runs
//! with less confinement than was asked for. A docker task must never run bare as root.
#![forbid(unsafe_code)]

use std::path::Path;

use crate::error::{Error, Result};
use crate::isolators::{KEEP_VOLUMES, takes_volumes};
use crate::protocol::mesos::container_info::Type;
use crate::protocol::mesos::containerizer::Launch;
use crate::protocol::mesos::{CommandInfo, ContainerInfo, Resource};
use crate::protocol::resources::has_persistent_volume;

/// Refuses what is not supported with this `isolation`; what can be ignored is handed to `warn`. `executor_info` has the
/// ContainerInfo that is in force, which is that of `--default_container_info` if `by_default`.
///
/// # Errors
/// The first field that is not supported.
pub fn unsupported(
    launch: &Launch,
    by_default: bool,
    isolation: &[String],
    mut warn: impl FnMut(String),
) -> Result<()> {
    let task = launch.task_info.as_ref();
    let executor = launch.executor_info.as_ref();
    let containers = [
        ("task_info.container", task.and_then(|t| t.container.as_ref())),
        (
            if by_default { "--default_container_info" } else { "executor_info.container" },
            executor.and_then(|e| e.container.as_ref()),
        ),
    ];
    for (field, info) in containers.iter().filter_map(|(field, info)| Some((field, (*info)?))) {
        container(field, info, isolation)?;
    }
    // The same stands in both for a command task: one warning.
    let infos = || containers.iter().filter_map(|(_, info)| *info);
    if infos().any(|info| !info.network_infos.is_empty()) {
        warn("container.network_infos is ignored: the container shares the host's network".into());
    }
    if infos().any(|info| info.hostname.is_some()) && !isolation.iter().any(|name| name == "namespaces/uts") {
        warn(
            "container.hostname is ignored without namespaces/uts in --isolation: the container has the host's name"
                .into(),
        );
    }
    let commands = [
        ("task_info.command", task.and_then(|t| t.command.as_ref())),
        ("executor_info.command", executor.map(|e| &e.command)),
    ];
    for (field, info) in commands.iter().filter_map(|(field, info)| Some((field, (*info)?))) {
        command(field, info)?;
    }
    Ok(())
}

/// Refuses persistent volumes where no isolator gives them to the container: the task would write its data to a
/// sandbox that is going to be deleted.
///
/// # Errors
/// When there is one.
pub fn persistent_volumes(resources: &[Resource], isolators: &[String]) -> Result<()> {
    let can = || isolators.iter().any(|name| KEEP_VOLUMES.contains(&name.as_str()));
    if has_persistent_volume(resources) && !can() {
        return Err(Error::Refused(format!(
            "a persistent volume (resources: disk with persistence or volume) needs one of the isolators {} in --isolation; \
             without it the task would lose its data",
            KEEP_VOLUMES.join(" and ")
        )));
    }
    Ok(())
}

/// Refuses to give a container the host's root directory where the operator wants it to have another.
///
/// # Errors
/// When no isolator does that.
pub fn root_directory(wanted: Option<&Path>, isolators: &[String]) -> Result<()> {
    match wanted {
        Some(directory) if !isolators.iter().any(|name| name == "filesystem/linux") => Err(Error::Refused(format!(
            "--default_rootfs={} needs filesystem/linux in --isolation: without it the container would have the host's root \
             directory",
            directory.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses to run a container without its disk quotas where the operator wants them enforced.
///
/// # Errors
/// When no isolator does that.
pub fn disk_quotas(enforce: bool, isolators: &[String]) -> Result<()> {
    match enforce && !isolators.iter().any(|name| name == "posix/disk" || name == "disk/xfs") {
        true => Err(Error::Refused(
            "--enforce_container_disk_quota needs posix/disk or disk/xfs in --isolation: without them nobody looks at what a \
             container uses"
                .into(),
        )),
        false => Ok(()),
    }
}

/// What the ContainerInfo in force asks for and no isolator of `isolation` looks at: one line each, to warn of. The agent's
/// own containerizer says nothing of it.
pub fn unheeded(info: Option<&ContainerInfo>, isolation: &[String]) -> Vec<String> {
    let isolated = |name: &str| isolation.iter().any(|isolator| isolator == name);
    let has_capabilities = |info: &ContainerInfo| {
        let linux = info.linux_info.as_ref();
        linux.is_some_and(|l| {
            [&l.capability_info, &l.effective_capabilities, &l.bounding_capabilities].iter().any(|s| s.is_some())
        })
    };
    let mut warnings = Vec::new();
    for (asked, isolator, what) in [
        (
            info.is_some_and(has_capabilities),
            "linux/capabilities",
            "container.linux_info: the container has the capabilities of its user",
        ),
        (
            info.is_some_and(|i| i.rlimit_info.is_some()),
            "posix/rlimits",
            "container.rlimit_info: the container has the agent's resource limits",
        ),
    ] {
        if asked && !isolated(isolator) {
            warnings.push(format!("{what}, because {isolator} is not in --isolation"));
        }
    }
    warnings
}

fn container(field: &str, info: &ContainerInfo, isolation: &[String]) -> Result<()> {
    let refuse = |what: String, advice| Err(Error::Unsupported { what, advice });
    if info.r#type == Type::Docker as i32 || info.docker.is_some() {
        let image = info.docker.as_ref().map_or("", |d| d.image.as_str());
        return refuse(
            format!("a docker container ({field}.type DOCKER, image \"{}\")", image.escape_default()),
            "add the docker containerizer before this one (--containerizers=docker,external)",
        );
    }
    if info.r#type != Type::Mesos as i32 {
        return refuse(
            format!("a container of unknown type {} ({field}.type)", info.r#type),
            "only type MESOS is known",
        );
    }
    if info.mesos.as_ref().is_some_and(|m| m.image.is_some()) {
        return refuse(
            format!("an image ({field}.mesos.image)"),
            "the task would run in the host's file system; run it with the agent's own containerizer",
        );
    }
    if let Some(volume) = info.volumes.first().filter(|_| !takes_volumes(isolation)) {
        return Err(Error::Refused(format!(
            "a volume ({field}.volumes: container_path \"{}\") needs filesystem/linux or filesystem/shared in --isolation: \
             without, the task would see the host's directory",
            volume.container_path.escape_default()
        )));
    }
    Ok(())
}

fn command(field: &str, info: &CommandInfo) -> Result<()> {
    match &info.container {
        None => Ok(()),
        Some(container) => Err(Error::Unsupported {
            what: format!("an image ({field}.container.image \"{}\")", container.image.escape_default()),
            advice: "the command would run in the host's file system; leave CommandInfo.container out",
        }),
    }
}
