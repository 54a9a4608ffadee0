//! Tests that mount hierarchies do it where nobody else sees it, and where it is gone when they have ended.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Set in there: an empty directory of the test's own.
const DIRECTORY: &str = "ECP_E2E_PRIVATE";

/// Runs the calling test once more by itself in mount and pid namespaces of its own, and returns from this one. Pid 1 in
/// there is in that mount namespace too, for programs that look at it. In there, it is the path of a directory to mount
/// hierarchies in.
macro_rules! in_namespaces_of_its_own {
    () => {{
        fn here() {}
        match $crate::cgroups::private::enter(std::any::type_name_of_val(&here)) {
            Some(directory) => directory,
            None => return,
        }
    }};
}
pub(crate) use in_namespaces_of_its_own;

#[track_caller]
pub fn enter(here: &str) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return Some(directory.into());
    }
    let name = here.split_once("::").unwrap().1.trim_end_matches("::here");
    let directory = tempfile::Builder::new().prefix("ecp-e2e-private-").tempdir_in("/tmp").unwrap();
    // The shell stays, and reaps as pid 1 what loses its parent.
    let script = format!(r#"mount -t tmpfs -o mode=755 tmpfs "${DIRECTORY}" && "$@"; exit $?"#);
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{name} in namespaces:\n{stdout}\n{stderr}");
    print!("{stdout}");
    None
}

/// Whether this kernel can have a v1 hierarchy of the controller.
pub fn can_be_mounted(controller: &str) -> bool {
    let text = fs::read_to_string("/proc/cgroups").unwrap_or_default();
    text.lines().any(|line| line.starts_with(&format!("{controller}\t")) && line.ends_with("\t1"))
}
