//! A real first process in a real root directory. Where root may try it.
#![allow(clippy::unwrap_used)]

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};

use super::*;
use crate::sys::{Clone, Setup, clone_held};

/// A root directory with a shell and what it needs, and nothing else: no /proc, /sys, /dev.
fn system(top: &Path) {
    fs::set_permissions(top, fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["/bin/sh", "/bin/ls", "/bin/cat", "/bin/mkdir", "/bin/touch"] {
        let listed = Command::new("ldd").arg(program).output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
        for path in libraries.chain([program]) {
            let target = top.join(path.strip_prefix('/').unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(fs::canonicalize(path).unwrap(), target).unwrap();
        }
    }
    fs::create_dir(top.join("run")).unwrap();
    fs::create_dir(top.join("var")).unwrap();
    symlink("/run", top.join("var/run")).unwrap();
}

/// What the shell says that runs this script in the sandbox of a container with that root directory.
fn said(root: RootDirectory, sandbox: &Path, script: &str) -> String {
    let seen = root.place(Path::new("/mnt/mesos/sandbox"), true).unwrap();
    let prepared = root.prepare(sandbox, seen).unwrap();
    let mut mounts = prepared.mounts;
    mounts.sort_by_key(|mount| mount.stage);
    let directory = Some(CString::new(prepared.sandbox.unwrap().to_str().unwrap()).unwrap());
    let setup = Setup { root: prepared.root, mounts, directory, ..Setup::default() };
    let (null, home) = (File::open("/dev/null").unwrap(), File::open(sandbox).unwrap());
    let out = File::create(sandbox.join("out")).unwrap();
    let what = Clone {
        namespaces: (libc::CLONE_NEWNS | libc::CLONE_NEWPID) as u64,
        cgroup: None,
        tasks: &[],
        programs: &[c"/bin/sh".into()],
        argv: &[c"sh".into(), c"-c".into(), CString::new(script).unwrap()],
        envp: &[c"PATH=/bin".into()],
        directory: home.as_fd(),
        stdio: [null.as_fd(), out.as_fd(), out.as_fd()],
        credentials: None,
        setup: &setup,
    };
    let mut cloned = clone_held(&what).unwrap();
    let pid = Pid::from_raw(cloned.pid);
    cloned.release().unwrap();
    let failure = cloned.failure().unwrap();
    let status = waitpid(pid, None).unwrap();
    let what = failure.as_ref().and_then(|f| setup.mounts.get(f.number)).map(|m| m.what.clone());
    assert!(failure.is_none(), "{failure:?} {what:?}");
    let said = fs::read_to_string(sandbox.join("out")).unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?} {said}");
    said
}

#[test]
fn a_shell_finds_itself_in_a_root_directory_of_its_own() {
    if !geteuid().is_root() {
        return;
    }
    let (top, sandbox) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    system(top.path());
    let host_before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let script = "pwd; ls /; ls /dev; cat /proc/self/mountinfo > mounts; echo $$; echo x > /dev/null; \
                  mkdir /new && touch /new/file && echo written; cat /proc/keys; \
                  (echo 1 > /proc/sys/vm/overcommit_memory) 2>&1; touch here; cd ..; pwd; cd /../../..; pwd";
    let said = said(RootDirectory::open(top.path()).unwrap(), sandbox.path(), script);
    assert!(said.starts_with("/mnt/mesos/sandbox\n"), "{said}");
    for name in
        ["proc\n", "null\n", "pts\n", "shm\n", "\n1\n", "\nwritten\n", "Read-only file system", "\n/mnt/mesos\n/\n"]
    {
        assert!(said.contains(name), "{name:?}: {said}");
    }
    let seen = fs::read_to_string(sandbox.path().join("mounts")).unwrap();
    assert!(!seen.contains("/sys/fs/cgroup") && seen.lines().any(|line| line.contains(" / / rw")), "{seen}");
    assert!(sandbox.path().join("here").exists());
    // Neither what the container wrote nor the mount points are in the directory itself.
    let mut names: Vec<_> = fs::read_dir(top.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.iter().filter(|n| ["new", "proc", "dev", "sys", "mnt"].contains(&n.to_str().unwrap())).count(), 0);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(), host_before.lines().count());
}

#[test]
fn mount_points_are_found_as_the_container_would_and_made_in_the_layer() {
    if !geteuid().is_root() {
        return;
    }
    let (top, sandbox) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    system(top.path());
    fs::create_dir(top.path().join("run/kept")).unwrap();
    fs::set_permissions(top.path().join("run"), fs::Permissions::from_mode(0o1777)).unwrap();
    let root = RootDirectory::open(top.path()).unwrap();
    let place = |path: &str, directory| root.place(Path::new(path), directory).map(|p| p.display().to_string());
    assert_eq!(place("/var/run", true).unwrap(), "/run");
    assert_eq!(place("/var/run/a/b", true).unwrap(), "/run/a/b");
    assert_eq!(place("/run/a/c", true).unwrap(), "/run/a/c");
    assert_eq!(place("/etc/file", false).unwrap(), "/etc/file");
    assert!(place("/bin/sh", true).unwrap_err().to_string().contains("is a file in"));
    assert!(place("/bin", false).unwrap_err().to_string().contains("is a directory in"));
    let said = said(root, sandbox.path(), "ls -ld /run; ls /run /run/a; ls -l /etc");
    assert!(said.starts_with("drwxrwxrwt") && said.contains("kept") && said.contains("b\nc\n"), "{said}");
    assert!(said.contains("file"), "{said}");
    assert_eq!(fs::read_dir(top.path().join("run")).unwrap().count(), 1);
}

#[test]
fn a_directory_that_others_may_change_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let top = tempfile::tempdir().unwrap();
    fs::set_permissions(top.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = RootDirectory::open(top.path()).unwrap_err().to_string();
    assert!(error.contains("must belong to root") && error.contains("--default_rootfs="), "{error}");
    for bad in ["/", "/proc", "/etc/passwd", "/nonexistent"] {
        assert!(RootDirectory::open(Path::new(bad)).is_err(), "{bad}");
    }
    assert_eq!(fs::metadata(top.path()).unwrap().uid(), 0);
}
