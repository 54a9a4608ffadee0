//! Other programs that start /bin/true in some isolation.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bed::PATH;
use crate::call;
use crate::guard::Places;

/// What is started everywhere.
pub const PROGRAM: &str = "/bin/true";
/// Programs that take an OCI bundle.
const RUNTIMES: [&str; 2] = ["runc", "crun"];

/// A program to compare with.
pub struct Rival {
    pub name: &'static str,
    command: Vec<String>,
    /// Whether each run needs an id of its own as the last argument.
    numbered: bool,
    count: Cell<u32>,
    log: PathBuf,
}

impl Rival {
    fn new(name: &'static str, command: Vec<String>, numbered: bool, places: &Places) -> Rival {
        Rival { name, command, numbered, count: Cell::new(0), log: places.log() }
    }

    /// How long one run takes.
    pub fn time(&self) -> Result<Duration> {
        let (program, arguments) = self.command.split_first().context("an empty command")?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", PATH);
        if self.numbered {
            self.count.set(self.count.get() + 1);
            command.arg(format!("ecp-bench-{}-{}", std::process::id(), self.count.get()));
        }
        call::time(&mut command, &self.log)
    }
}

/// All rivals, each ready to run, or why it cannot be.
pub fn all(places: &Places) -> Result<Vec<(&'static str, Result<Rival, String>)>> {
    let rootfs = places.scratch.join("rootfs");
    make_rootfs(&rootfs)?;
    let mut all = Vec::new();
    for name in RUNTIMES {
        all.push((name, tried(name, || runtime(name, &rootfs, places))));
    }
    all.push((ALIKE, tried("runc", || alike(&rootfs, places))));
    let words = ["bwrap", "--unshare-all", "--ro-bind", "/", "/"].map(str::to_owned);
    let plain = words.iter().cloned().chain([PROGRAM.to_owned()]).collect();
    all.push(("bwrap", tried("bwrap", || Ok(Rival::new("bwrap", plain, false, places)))));
    let volumes = volumes(places)?;
    let binds = volumes.iter().flat_map(|volume| {
        let path = volume.display().to_string();
        ["--bind".to_owned(), path.clone(), path]
    });
    let bound = words.into_iter().chain(binds).chain([PROGRAM.to_owned()]).collect();
    all.push((BINDS, tried("bwrap", || Ok(Rival::new(BINDS, bound, false, places)))));
    Ok(all)
}

/// runc with as much isolation as our container has that it is compared with: no network namespace, limits, three volumes.
pub const ALIKE: &str = "runc, three binds";
/// bwrap with three directories more.
pub const BINDS: &str = "bwrap, three binds";

/// Three directories of the host.
pub fn volumes(places: &Places) -> Result<Vec<PathBuf>> {
    (0..3)
        .map(|number| {
            let volume = places.scratch.join(format!("volume-{number}"));
            fs::create_dir_all(&volume)?;
            Ok(volume)
        })
        .collect()
}

fn alike(rootfs: &Path, places: &Places) -> Result<Rival> {
    let volumes = volumes(places)?;
    bundle("runc", ALIKE, rootfs, places, |config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().context("a spec has namespaces")?;
        namespaces.retain(|namespace| ["pid", "ipc", "uts", "mount"].iter().any(|kind| namespace["type"] == *kind));
        let mounts = config["mounts"].as_array_mut().context("a spec has mounts")?;
        // It cannot be mounted without a network namespace's owner, and nobody here has a cgroup namespace.
        mounts.retain(|mount| mount["type"] != "cgroup");
        for (number, volume) in volumes.iter().enumerate() {
            let (source, target) = (volume.display().to_string(), format!("/volume-{number}"));
            mounts.push(json!({"type": "bind", "source": source, "destination": target, "options": ["rbind", "rw"]}));
        }
        let limits = json!({"cpu": {"shares": 102}, "memory": {"limit": 2_147_483_648_u64}, "pids": {"limit": 1000}});
        config["linux"]["resources"] = limits;
        Ok(())
    })
}

/// The first line that a program says about its version, if it is installed.
pub fn version(name: &str) -> Option<String> {
    let output = Command::new(name).arg("--version").output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// Deletes what a run that was cut short may have left.
pub fn delete_all(scratch: &Path) {
    for name in RUNTIMES {
        let root = state_of(name, scratch);
        if !Path::new(&root).exists() {
            continue;
        }
        let listed = Command::new(name).args(["--root", &root, "list", "-q"]).output();
        let listed = listed.map(|output| output.stdout).unwrap_or_default();
        for id in String::from_utf8_lossy(&listed).split_whitespace() {
            let _ = Command::new(name).args(["--root", &root, "delete", "-f", id]).status();
        }
    }
}

fn state_of(name: &str, scratch: &Path) -> String {
    scratch.join(format!("{name}-state")).display().to_string()
}

/// A rival that has run once, or a short reason.
fn tried(name: &str, make: impl FnOnce() -> Result<Rival>) -> Result<Rival, String> {
    if version(name).is_none() {
        return Err("not installed".to_owned());
    }
    let rival = make().and_then(|rival| rival.time().map(|_| rival));
    rival.map_err(|error| {
        eprintln!("bench: {name} cannot be compared with: {error:#}");
        "it fails here".to_owned()
    })
}

/// A runtime with a bundle of its own, made from its own idea of a usual container.
fn runtime(name: &'static str, rootfs: &Path, places: &Places) -> Result<Rival> {
    bundle(name, name, rootfs, places, |_| Ok(()))
}

/// The same, edited; `called`: the rival's name.
fn bundle(
    name: &'static str,
    called: &'static str,
    rootfs: &Path,
    places: &Places,
    edit: impl FnOnce(&mut Value) -> Result<()>,
) -> Result<Rival> {
    let bundle = places.scratch.join(format!("{}-bundle", called.replace([' ', ','], "-")));
    fs::create_dir(&bundle)?;
    let mut spec = Command::new(name);
    spec.arg("spec").current_dir(&bundle);
    if !nix::unistd::geteuid().is_root() {
        spec.arg("--rootless");
    }
    if !spec.status()?.success() {
        bail!("{name} spec failed");
    }
    let file = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!([PROGRAM]);
    config["root"]["path"] = json!(rootfs.display().to_string());
    edit(&mut config)?;
    fs::write(&file, config.to_string())?;
    let state = state_of(name, &places.scratch);
    let bundle = bundle.display().to_string();
    let words = [name, "--root", &state, "run", "--bundle", &bundle].map(str::to_owned);
    Ok(Rival::new(called, words.to_vec(), true, places))
}

/// A root file system of one program and the libraries that it needs.
fn make_rootfs(rootfs: &Path) -> Result<()> {
    let output = Command::new("ldd").arg(PROGRAM).output().context("ldd")?;
    let libraries = String::from_utf8_lossy(&output.stdout).into_owned();
    let needed = libraries.split_whitespace().filter(|word| word.starts_with('/')).chain([PROGRAM]);
    for path in needed {
        let copy = rootfs.join(path.trim_start_matches('/'));
        fs::create_dir_all(copy.parent().context("a file has a directory")?)?;
        fs::copy(path, &copy).with_context(|| format!("cannot copy {path}"))?;
    }
    Ok(())
}
