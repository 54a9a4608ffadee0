//! Copies, and what they must not do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;

/// A host with a source directory `src`, a sandbox `box`, and `out`, which nothing may be written to.
struct Host(TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(TempDir::new().unwrap());
        for name in ["src", "box", "out"] {
            fs::create_dir(host.path(name)).unwrap();
        }
        host.source("file", 0o644);
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn source(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path("src").join(name);
        fs::write(&path, "content").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn copy_from(&self, from: impl Into<PathBuf>, to: &str, executable: bool) -> Result<(), FetchError> {
        let path = self.path("box");
        let to = to.split('/').map(str::to_owned).collect();
        copy(&Sandbox::open(&path, None)?, &Local { from: from.into(), to, executable }, Some("alice"))
    }

    fn copy(&self, to: &str) -> Result<(), FetchError> {
        self.copy_from(self.path("src/file"), to, false)
    }

    fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path("box").join(name)).unwrap().mode() & 0o7777
    }

    /// The names in the sandbox, of which none may be a temporary one.
    fn names(&self, directory: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn content_and_mode() {
    let host = Host::new();
    for (source, executable, copy) in [
        (0o644, true, 0o755),
        (0o644, false, 0o644),
        (0o600, false, 0o600),
        (0o777, false, 0o755),
        (0o6775, false, 0o755),
        (0o6775, true, 0o755),
        (0o444, false, 0o444),
    ] {
        let from = host.source("varying", source);
        host.copy_from(from, "copy", executable).unwrap();
        assert_eq!(host.mode("copy"), copy, "{source:o} {executable}");
    }
    assert_eq!(fs::read(host.path("box/copy")).unwrap(), b"content");
    assert_eq!(host.names("box"), ["copy"]);
}

#[test]
fn directories_are_made_and_files_replaced() {
    let host = Host::new();
    host.copy("a/b/c").unwrap();
    fs::write(host.path("box/a/b/c"), "old, and longer than what replaces it").unwrap();
    host.copy("a/b/c").unwrap();
    assert_eq!(fs::read(host.path("box/a/b/c")).unwrap(), b"content");
    assert_eq!(host.mode("a/b") & 0o755, 0o755);
    assert_eq!(host.names("box/a/b"), ["c"]);
}

#[test]
fn a_replaced_hard_link_leaves_the_other_name_alone() {
    let host = Host::new();
    fs::write(host.path("out/secret"), "secret").unwrap();
    fs::hard_link(host.path("out/secret"), host.path("box/f")).unwrap();
    host.copy("f").unwrap();
    assert_eq!(fs::read(host.path("out/secret")).unwrap(), b"secret");
}

#[test]
fn the_longest_name_is_no_problem() {
    let host = Host::new();
    host.copy(&"n".repeat(255)).unwrap();
    let message = host.copy(&"n".repeat(256)).unwrap_err().to_string();
    assert!(message.contains("File name too long"), "{message}");
    assert_eq!(host.names("box").len(), 1);
}

#[test]
fn links_in_the_sandbox_are_not_followed() {
    let host = Host::new();
    symlink(host.path("out"), host.path("box/dir")).unwrap();
    symlink(host.path("out/made"), host.path("box/link")).unwrap();
    fs::create_dir(host.path("box/real")).unwrap();
    symlink("..", host.path("box/real/up")).unwrap();
    for to in ["link", "dir", "dir/f", "dir/sub/f", "real/up/f"] {
        let message = host.copy(to).unwrap_err().to_string();
        assert!(message.contains("a symbolic link"), "{to}: {message}");
    }
    assert!(host.names("out").is_empty());
    assert_eq!(host.names("box"), ["dir", "link", "real"]);
}

#[test]
fn only_files_are_replaced() {
    let host = Host::new();
    fs::create_dir(host.path("box/dir")).unwrap();
    mkfifo(&host.path("box/fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    fs::write(host.path("box/file"), "").unwrap();
    for (to, kind) in [("dir", "a directory"), ("fifo", "a FIFO"), ("file/f", "a file"), ("fifo/f", "a FIFO")] {
        let message = host.copy(to).unwrap_err().to_string();
        assert!(message.contains(&format!("there is {kind}")), "{to}: {message}");
    }
}

#[test]
fn only_files_are_read() {
    let host = Host::new();
    let fifo = host.path("src/fifo");
    mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    for (from, kind) in [(fifo, "a FIFO"), (host.path("src"), "a directory"), ("/dev/zero".into(), "a device")] {
        let message = host.copy_from(&from, "f", false).unwrap_err().to_string();
        assert!(message.contains(kind), "{message}");
        assert!(message.contains(from.to_str().unwrap()), "{message}");
    }
    assert!(host.names("box").is_empty());
}

#[test]
fn files_without_a_size_are_read_to_their_end() {
    let host = Host::new();
    host.copy_from("/proc/self/status", "f", false).unwrap();
    assert!(fs::read_to_string(host.path("box/f")).unwrap().starts_with("Name:"));
}

#[test]
fn a_source_may_be_a_link_and_may_be_its_own_destination() {
    let host = Host::new();
    symlink(host.path("src/file"), host.path("src/link")).unwrap();
    host.copy_from(host.path("src/link"), "f", false).unwrap();
    host.copy_from(host.path("box/f"), "f", true).unwrap();
    assert_eq!(fs::read(host.path("box/f")).unwrap(), b"content");
    assert_eq!(host.mode("f"), 0o755);
}

#[test]
fn unreadable_sources_are_explained() {
    let host = Host::new();
    let message = host.copy_from(host.path("src/none"), "f", false).unwrap_err().to_string();
    assert!(message.contains("src/none: No such file"), "{message}");
    // Root may read everything: so not tried, but asked.
    let denied = io::Error::from_raw_os_error(libc::EACCES);
    let advice = advice_on_source(Some("alice"), &denied);
    assert!(advice.starts_with(" (fetched as user alice, who may not read it;"), "{advice}");
    assert!(advice_on_source(None, &denied).contains("mesos-ecp runs as"));
}

#[test]
fn a_missing_sandbox_is_named() {
    let error = Sandbox::open(Path::new("/nonexistent/box"), None).err().unwrap();
    assert!(error.to_string().contains("sandbox /nonexistent/box: No such file"));
}

#[test]
fn what_killed_fetches_left_does_not_stand_in_the_way() {
    let host = Host::new();
    let left = |number| format!("box/.mesos-ecp-fetch-{}-{number}", std::process::id());
    fs::write(host.path(&left(0)), "left").unwrap();
    symlink(host.path("out/made"), host.path(&left(1))).unwrap();
    host.copy("f").unwrap();
    assert!(host.names("out").is_empty());
    assert_eq!(fs::read(host.path(&left(0))).unwrap(), b"left");
}

/// Unmounts on every way out of a test.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.0).status().is_ok_and(|status| status.success());
        assert!(done || std::thread::panicking(), "{} stays mounted", self.0.display());
    }
}

#[test]
fn a_full_file_system_is_explained_and_nothing_is_left() {
    let host = Host::new();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(host.path("box"));
    if !nix::unistd::geteuid().is_root() || !mount.status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: a full file system takes the right to mount one");
        return;
    }
    let _mounted = Mounted(host.path("box"));
    fs::write(host.path("src/large"), vec![1; 1 << 20]).unwrap();
    fs::write(host.path("box/f"), "old").unwrap();
    let message = host.copy_from(host.path("src/large"), "f", false).unwrap_err().to_string();
    assert!(message.contains("box/f: No space left on device"), "{message}");
    assert!(message.contains("make room"), "{message}");
    assert_eq!(fs::read(host.path("box/f")).unwrap(), b"old");
    assert_eq!(host.names("box"), ["f"]);
}

#[test]
fn used_up_quotas_are_explained() {
    let advice = advice_on_space(&io::Error::from_raw_os_error(libc::EDQUOT));
    assert!(advice.contains("quota of the sandbox"), "{advice}");
}
