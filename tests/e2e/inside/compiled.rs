//! Small programs of the tests, compiled when they are first wanted.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program (or, with `-shared`, the library) made of this C source. It is kept beside what the tests are built into, by a
/// name that changes with the source, and may be run by anybody who can reach it there.
#[track_caller]
pub fn compiled(name: &str, source: &str, options: &[&str]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (source, options).hash(&mut hasher);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.join(format!("{name}-{:016x}", hasher.finish()));
    if program.exists() {
        return program;
    }
    // In a virtual machine the directory is that of the host, or not there at all.
    fs::create_dir_all(directory).unwrap();
    let own = tempfile::Builder::new().prefix(name).tempdir_in(directory).unwrap();
    let (text, made) = (own.path().join("source.c"), own.path().join("made"));
    fs::write(&text, source).unwrap();
    let mut gcc = Command::new("gcc");
    let output = gcc.args(["-O1", "-Wall", "-s", "-o"]).arg(&made).args(options).arg(&text).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(&made, fs::Permissions::from_mode(0o755)).unwrap();
    // As a whole: other tests may do the same at this moment.
    fs::rename(&made, &program).unwrap();
    program
}
