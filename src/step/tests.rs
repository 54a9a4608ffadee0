//! That what changes the world is in files that know of steps: a new one without a step is noticed here.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Calls after which something is otherwise that outlives the process. Cgroups' control files are written by `Cgroup::write` and the
/// network is changed by `Socket::perform`, which take steps for all who call them.
const DURABLE: [&str; 35] = [
    "DirBuilder::new",
    "File::create",
    "O_CREAT",
    "chown",
    "create(true)",
    "create_dir",
    "create_dir_all",
    "create_new(true)",
    "fchmod",
    "fchown",
    "fchownat",
    "fs::copy",
    "fs::write",
    "fsetxattr",
    "hard_link",
    "linkat",
    "mkdirat",
    "mknodat",
    "mount",
    "move_mount",
    "quotactl",
    "remove_dir",
    "remove_dir_all",
    "remove_file",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "set_attribute",
    "set_len",
    "set_permissions",
    "symlink",
    "symlinkat",
    "umount2",
    "unlinkat",
];

/// Files, or directories, where they stand without steps, and why that may be so.
const WITHOUT: &[(&str, &str)] = &[
    (
        "bin/mesos-ecp-fetch/",
        "downloads: in the sandbox, which is the agent's, or in the cache, by renaming; nothing to be undone",
    ),
    ("cgroup/remove.rs", "called in the step `remove cgroup`"),
    ("config/file/example.rs", "only in tests"),
    ("fetcher/", "called in the step `fetch`: what it makes is in the sandbox, which is the agent's"),
    ("isolators/disk/turns.rs", "an empty file whose bytes are locked: a lock ends with its process"),
    (
        "isolators/filesystem/persistent/join.rs",
        "a child's, in the step `volume mounts`, in the container's mount namespace",
    ),
    ("isolators/filesystem/persistent/owner.rs", "called in the step `volume owner`"),
    ("isolators/filesystem/root/", "in trees that are mounted nowhere yet and go with their last descriptor"),
    ("launcher/init.rs", "a file in memory, which goes with its last descriptor"),
    ("launcher/sandbox.rs", "called in the step `streams`"),
    ("run/", "`mesos-ecp run`: the sandbox of an operator's own command, which is asked what is to be kept"),
    ("step/", "only in tests"),
    (
        "sys/",
        "the kernel's calls: whoever calls them takes the step; and the first process before its exec, see src/step.rs",
    ),
    ("testing/", "the kit for tests of isolators"),
    ("verbs/place.rs", "calls `cgroup::mount`, which takes it"),
    ("view/", "in a mount namespace that ends with its process"),
];

fn files(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Only for tests, by a feature.
        let fuzzing = ["fuzzing", "fuzzing.rs", "allocated.rs"].contains(&name);
        if path.is_dir() && name != "tests" && !fuzzing {
            files(&path, found);
        } else if name.ends_with(".rs")
            && !fuzzing
            && name != "tests.rs"
            && !name.ends_with("_tests.rs")
            && !name.ends_with("_laws.rs")
        {
            found.push(path);
        }
    }
}

/// The lines of the program, without what is compiled for tests and without comments.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
    lines.filter(|line| !line.starts_with("//")).map(str::to_owned).collect()
}

fn calls(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = name.ends_with(')');
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let is_call = is_whole || after.starts_with('(') || name == "O_CREAT" && !after.starts_with(is_word);
        is_call && !before.ends_with(is_word) && !before.ends_with("fn ")
    })
}

fn durable(path: &Path) -> Option<String> {
    let is_durable = |line: &String| DURABLE.iter().any(|name| calls(line, name));
    code(path).into_iter().find(is_durable)
}

fn takes_steps(path: &Path) -> bool {
    code(path).iter().any(|line| calls(line, "step") || calls(line, "step_of"))
}

#[test]
fn what_changes_the_world_takes_steps_or_says_why_not() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let relative = |path: &Path| path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
    let mut without: Vec<String> = Vec::new();
    for path in all.iter().filter(|path| !takes_steps(path)) {
        if let Some(line) = durable(path) {
            let name = relative(path);
            if !WITHOUT.iter().any(|(known, _)| name.starts_with(known)) {
                panic!(
                    "src/{name} has `{line}` and no step: put it into one (src/step.rs), or into this test's list with the reason"
                );
            }
            without.push(name);
        }
    }
    for (known, why) in WITHOUT {
        assert!(without.iter().any(|name| name.starts_with(known)), "{known} ({why}) needs no exception any more");
    }
}

#[test]
fn calls_are_told_from_names_that_contain_them() {
    assert!(calls("match fs::rename(from, to) {", "rename"));
    assert!(!calls("fn rename(from: &Path)", "rename"));
    assert!(!calls("prename(a)", "rename"));
    assert!(!calls("let rename = 1;", "rename"));
}
