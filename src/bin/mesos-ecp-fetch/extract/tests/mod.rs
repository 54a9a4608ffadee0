//! What archives become, and what they must not do. Each hostile one is tried with and without openat2(2), and next to
//! files outside of the sandbox that have to be as before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod archives;
mod damage;
mod hostile;
mod hostile_zip;
mod laws;
mod limits;
mod oracle;
mod owner;
mod race;
mod semantics;

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// A directory with a sandbox, `box`, and with `out`, where nothing may change.
struct Host {
    directory: TempDir,
    openat2: bool,
}

const LIMITS: Limits = Limits { bytes: 8 << 20, entries: 5000 };

impl Host {
    fn new() -> Self {
        Self::with(true)
    }

    fn with(openat2: bool) -> Self {
        let host = Self { directory: TempDir::new().unwrap(), openat2 };
        fs::create_dir(host.path("box")).unwrap();
        fs::create_dir_all(host.path("out/dir")).unwrap();
        fs::write(host.path("out/secret"), "secret").unwrap();
        fs::write(host.path("out/dir/file"), "precious").unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn extract(&self, name: &str, archive: &[u8]) -> Result<(), String> {
        self.extract_within(name, archive, &LIMITS)
    }

    fn extract_within(&self, name: &str, archive: &[u8], limits: &Limits) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(archive).unwrap();
        let sandbox = File::open(self.path("box")).unwrap();
        let kind = Kind::of(name).unwrap();
        let outside = snapshot(&self.path("out"));
        let done = extract_with(&file, kind, name, &sandbox, None, limits, self.openat2);
        assert_eq!(snapshot(&self.path("out")), outside, "something outside of the sandbox has changed");
        let left = snapshot(&self.path("box")).into_iter().find(|line| line.contains(".mesos-ecp-fetch"));
        assert_eq!(left, None, "a temporary file is left");
        done.map_err(|error| error.to_string())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path("box").join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path("box").join(name)).unwrap().mode() & 0o7777
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("box"))
            .unwrap()
            .map(|entry| String::from_utf8_lossy(entry.unwrap().file_name().as_bytes()).into_owned())
            .collect();
        names.sort();
        names
    }
}

/// The message with which it is refused, by both ways to find a directory.
fn refused(name: &str, archive: &[u8]) -> String {
    refused_after(|_| {}, name, archive)
}

/// The same in a sandbox that is not empty.
fn refused_after(prepare: impl Fn(&Host), name: &str, archive: &[u8]) -> String {
    let [message, _] = [true, false].map(|openat2| {
        let host = Host::with(openat2);
        prepare(&host);
        host.extract(name, archive).expect_err("it was extracted")
    });
    assert!(message.contains(name), "{message}");
    message
}

/// A line for each file below `root`: all that one could change about it.
fn snapshot(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let content = if metadata.is_file() {
                fs::read(&path).unwrap()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else {
                directories.extend(metadata.is_dir().then(|| path.clone()));
                Vec::new()
            };
            let times =
                if metadata.is_symlink() { 0 } else { metadata.mtime_nsec() + metadata.mtime() * 1_000_000_000 };
            lines.push(format!(
                "{:?} {:o} {times} {} {}",
                path.strip_prefix(root).unwrap(),
                metadata.mode(),
                if metadata.is_dir() { 0 } else { metadata.nlink() },
                content.escape_ascii(),
            ));
        }
    }
    lines.sort();
    lines
}

/// Tells of a test that cannot be done here, where that is gathered.
fn skip(test: &str, reason: &str) {
    if let Some(path) = std::env::var_os("ECP_SKIP_FILE") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{test}: {reason}\n").as_bytes()).unwrap();
    }
}

#[test]
fn kinds_go_by_the_suffix() {
    for (name, kind) in [
        ("a.tar", Some(Kind::Tar)),
        ("a.tgz", Some(Kind::Tar)),
        ("a.tar.gz", Some(Kind::Tar)),
        ("a.tbz2", Some(Kind::Tar)),
        ("a.tar.bz2", Some(Kind::Tar)),
        ("a.txz", Some(Kind::Tar)),
        ("a.tar.xz", Some(Kind::Tar)),
        ("a.gz", Some(Kind::Gzip)),
        ("a.zip", Some(Kind::Zip)),
        ("a.jar", None),
        ("a", None),
    ] {
        assert_eq!(Kind::of(name), kind, "{name}");
    }
}
