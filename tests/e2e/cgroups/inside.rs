//! Running tests of this program once more where something is different: other mounts, another place in the hierarchies.

use std::process::Command;

/// Set inside, to the name of the place.
const PLACE: &str = "ECP_E2E_PLACE";

/// The place that this process was started for.
pub fn place() -> Option<String> {
    std::env::var(PLACE).ok()
}

/// Runs the tests whose names contain `filter` in a mount and a pid namespace of their own, after the commands of `setup`;
/// gives their number. In both, since a verb looks at the machine with the eyes of pid 1.
#[track_caller]
pub fn run_in(place: &str, setup: &str, filter: &str) -> usize {
    // Not exec: this shell is pid 1, which has to reap.
    let script = format!("set -e; {setup}\n set +e; \"$@\"; exit $?");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount", "--mount-proc", "sh", "-c", &script, "sh"]);
    command.arg(std::env::current_exe().unwrap()).args([filter, "--test-threads=2"]);
    let output = command.env(PLACE, place).env_remove("RUST_TEST_THREADS").output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = text.lines().find_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok());
    match passed {
        Some(passed) if output.status.success() => passed,
        _ => panic!("in {place}: {}\n{text}\n{errors}", output.status),
    }
}
