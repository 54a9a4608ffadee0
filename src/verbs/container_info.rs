//! Which ContainerInfo is in force: the record may have it in two places, and the operator may have one for all.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read;

use crate::error::{Error, Result};
use crate::protocol::mesos::ContainerInfo;
use crate::protocol::mesos::containerizer::Launch;
use crate::protocol::{decode, json};

/// More than any ContainerInfo needs.
const FILE_LIMIT: u64 = 1 << 20;

/// Puts the ContainerInfo that is in force into `executor_info`: its own, else the task's (an agent of 0.22 gives one of type
/// MESOS there only), else `default`, the value of `--default_container_info`. Says whether it was the last.
///
/// # Errors
/// A default that is no ContainerInfo.
pub(super) fn put_in_force(launch: &mut Launch, default: Option<&str>) -> Result<bool> {
    let task = launch.task_info.as_ref().and_then(|task| task.container.clone());
    let Some(executor) = launch.executor_info.as_mut().filter(|executor| executor.container.is_none()) else {
        return Ok(false);
    };
    executor.container = task;
    match default {
        Some(text) if executor.container.is_none() => {
            let found = parse(text).map_err(|e| Error::Refused(format!("--default_container_info: {e}")))?;
            executor.container = Some(found);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// JSON, or the path of a file with it, as the agent's flags take them: `/path` or `file:///path`.
fn parse(text: &str) -> Result<ContainerInfo> {
    let text = text.trim();
    match text.strip_prefix("file://").unwrap_or(text) {
        path if path.starts_with('/') => {
            let mut json = String::new();
            File::open(path)
                .and_then(|file| file.take(FILE_LIMIT).read_to_string(&mut json))
                .map_err(Error::path("read", path))?;
            of_json(&json).map_err(|e| Error::Refused(format!("{path}: {e}")))
        }
        _ => of_json(text),
    }
}

pub(super) fn of_json(text: &str) -> Result<ContainerInfo> {
    let message = json::to_wire("mesos.ContainerInfo", text.as_bytes())?;
    // It stops where the object ends.
    serde_json::from_str::<serde_core::de::IgnoredAny>(text)
        .map_err(|e| Error::Refused(format!("it is no JSON: {e}")))?;
    Ok(decode(&message)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::mesos::{ExecutorInfo, TaskInfo};

    fn named(name: &str) -> ContainerInfo {
        ContainerInfo { r#type: 2, hostname: Some(name.to_owned()), ..ContainerInfo::default() }
    }

    fn decided(executor: Option<&str>, task: Option<&str>, default: Option<&str>) -> (Option<String>, bool) {
        let mut launch = Launch {
            executor_info: Some(ExecutorInfo { container: executor.map(named), ..ExecutorInfo::default() }),
            task_info: Some(TaskInfo { container: task.map(named), ..TaskInfo::default() }),
            ..Launch::default()
        };
        let was_default = put_in_force(&mut launch, default).unwrap();
        (launch.executor_info.unwrap().container.and_then(|c| c.hostname), was_default)
    }

    #[test]
    fn the_executors_before_the_tasks_before_the_default() {
        let json = r#" {"type":"MESOS","hostname":"default"} "#;
        let got = |name: &str, default| (Some(name.to_owned()), default);
        assert_eq!(decided(Some("executor"), Some("task"), Some(json)), got("executor", false));
        assert_eq!(decided(None, Some("task"), Some(json)), got("task", false));
        assert_eq!(decided(None, None, Some(json)), got("default", true));
        assert_eq!(decided(None, None, None), (None, false));
        // Nobody looks at it where it is not needed.
        assert_eq!(decided(None, Some("task"), Some("nonsense")), got("task", false));
    }

    #[test]
    fn a_default_is_json_or_a_file_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("info");
        std::fs::write(&file, "{\"type\":\"MESOS\",\"hostname\":\"of a file\"}\n").unwrap();
        let path = file.to_str().unwrap();
        for text in [path, &format!("file://{path}")] {
            assert_eq!(parse(text).unwrap().hostname(), "of a file");
        }
        let said = |text: &str| parse(text).unwrap_err().to_string();
        assert!(said("/no/such").starts_with("cannot read /no/such: No such file"));
        assert!(said("{\"type\":\"MESOS\"} x").contains("trailing characters"), "{}", said("{\"type\":\"MESOS\"} x"));
        assert!(said("{\"typ\":\"MESOS\"}").contains("typ"));
        assert!(said("{}").contains("type"), "{}", said("{}"));
        assert!(said("").contains("ContainerInfo"), "{}", said(""));
        std::fs::write(&file, "{").unwrap();
        assert!(said(path).starts_with(path));
    }
}
