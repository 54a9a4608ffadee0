//! The agent's own flag, which is completed: whatever it says, what comes out names cpus, and completing that changes nothing.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::resources::with_cpus;
use crate::fuzzing::said;

/// A value in the environment and on the command line.
pub(crate) fn resources(value: &[u8]) {
    // The name of a file, which is read.
    if value.starts_with(b"/") || value.starts_with(b"file://") {
        return;
    }
    let value = OsStr::from_bytes(value);
    let mut flag = OsString::from("--resources=");
    flag.push(value);
    for (arguments, environment) in [
        (vec!["agent".into()], vec![("MESOS_RESOURCES".into(), value.to_owned())]),
        (vec!["agent".into(), flag], Vec::new()),
    ] {
        if let Some(completed) = said(with_cpus(arguments, environment, 3)) {
            let (arguments, environment) = completed.clone();
            assert_eq!(said(with_cpus(arguments, environment, 4)), Some(completed));
        }
    }
}
