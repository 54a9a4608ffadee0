//! The programs of examples/, and those that only tests want: cargo makes them of the same library with the same features, but
//! not for `cargo test --test e2e`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The features that these tests were built with, as the program has them.
const FEATURES: [(&str, bool); 5] = [
    // Not by the names of those in it: that would be another library.
    ("default", cfg!(all(feature = "fetch", feature = "init"))),
    ("fetch", cfg!(feature = "fetch")),
    ("init", cfg!(feature = "init")),
    ("crash-points", cfg!(feature = "crash-points")),
    ("weakened", cfg!(feature = "weakened")),
];

/// Of cargo's variables those that are not about a package.
const OPERATORS: [&str; 3] = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_BUILD_JOBS"];

/// The example of this name. Where cargo runs the tests it is built, unless that has been done; elsewhere it must be there.
#[track_caller]
pub fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let profile = Path::new(env!("CARGO_BIN_EXE_mesos-ecp")).parent().unwrap();
    if let Err(why) = BUILT.get_or_init(|| build(profile)) {
        panic!("the examples cannot be built: {why}");
    }
    let program = profile.join("examples").join(name);
    let advice = "build it with the features of these tests: cargo build --examples";
    assert!(program.exists(), "{} does not exist; {advice}", program.display());
    program
}

fn build(profile: &Path) -> Result<(), String> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let features: Vec<&str> = FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let named = profile.file_name().unwrap().to_str().unwrap();
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--examples", "--no-default-features"]);
    command.arg(format!("--features={}", features.join(",")));
    command.args(["--profile", if named == "debug" { "dev" } else { named }]);
    // What cargo says to these tests of their package is not said to a build, which would therefore be another one.
    for (name, _) in std::env::vars_os() {
        let is_cargos = name == "OUT_DIR" || name.as_encoded_bytes().starts_with(b"CARGO_");
        if is_cargos && !OPERATORS.iter().any(|kept| name == *kept) {
            command.env_remove(name);
        }
    }
    command.arg("--target-dir").arg(profile.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
