//! Containers with a root directory of their own: `--default_rootfs`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use super::{RO, RW, linux, mounts_of_the_host, open_directory, volume, volumes};
use crate::agent::{Agent, Builder, need_root};
use crate::refusals::assert_says;

/// What the root directory has, with the libraries that they need.
const PROGRAMS: [&str; 8] =
    ["/bin/sh", "/bin/cat", "/bin/ls", "/bin/mkdir", "/bin/sleep", "/bin/stat", "/bin/touch", "/usr/bin/id"];

/// A root directory with a few programs and `/etc/passwd`, and nothing else: no /proc, /sys, /dev and /mnt.
pub fn system() -> TempDir {
    let top = tempfile::Builder::new().prefix("ecp-rootfs-").tempdir().unwrap();
    fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = |path: &str| {
        let target = top.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(fs::canonicalize(path).unwrap(), target).unwrap();
    };
    for program in PROGRAMS {
        let listed = Command::new("ldd").arg(program).output().unwrap();
        let libraries = String::from_utf8(listed.stdout).unwrap();
        libraries.split_whitespace().filter(|word| word.starts_with('/')).chain([program]).for_each(copy);
    }
    copy("/etc/passwd");
    for (name, mode) in [("tmp", 0o1777), ("run", 0o755), ("var", 0o755)] {
        fs::create_dir(top.path().join(name)).unwrap();
        fs::set_permissions(top.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("/run", top.path().join("var/run")).unwrap();
    top
}

fn with(system: &TempDir) -> Builder {
    linux().flag(&format!("--default_rootfs={}", system.path().display()))
}

/// The names of everything below a directory.
fn listing(system: &TempDir) -> String {
    let listed = Command::new("find").arg(system.path()).arg("-printf").arg("%P %M %U\\n").output().unwrap();
    let mut lines: Vec<_> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn the_sandbox_is_where_it_is_said_and_the_root_is_its_own() {
    need_root!();
    let system = system();
    let before = listing(&system);
    let agent = with(&system).build();
    let script = "echo $MESOS_SANDBOX; pwd; ls /; cat /proc/1/root/nothing; echo kept > kept; mkdir /new /var/run/new; \
                  echo x > /tmp/x && cat /tmp/x; touch /etc/passwd; ls /dev/; ls /dev/fd/0 /dev/stdout";
    let container = agent.task(script).launch();
    container.complete().assert_status(0);
    let said = container.file("stdout");
    assert!(said.starts_with("/mnt/mesos/sandbox\n/mnt/mesos/sandbox\n"), "{said}");
    for name in
        ["bin", "dev", "etc", "mnt", "proc", "sys", "tmp", "var", "x", "null", "urandom", "pts", "shm", "/dev/fd/0"]
    {
        assert!(said.lines().any(|line| line == name), "{name}: {said}");
    }
    assert!(!said.contains("home") && !said.contains("work"), "{said}");
    assert_eq!(fs::read_to_string(container.path("kept")).unwrap(), "kept\n");
    assert_eq!(listing(&system), before, "what a container writes is not in the directory");
    assert!(mounts_of_the_host(&agent).is_empty());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(system.path().to_str().unwrap()), "{mounts}");
}

#[test]
fn the_kernels_own_are_hidden_and_protected() {
    need_root!();
    let system = system();
    let agent = with(&system).flag("--sandbox_directory=/sandbox").build();
    // As root with all that root may.
    let script = "cat /proc/keys /proc/timer_list | { read line; echo \"keys:$line\"; }; ls /sys/firmware; \
                  for file in /proc/sys/kernel/domainname /proc/irq/default_smp_affinity /sys/kernel/uevent_helper; do \
                  { echo x > $file; } 2>&1; done; ls /sys/fs/cgroup; cat /proc/self/mountinfo > mounts; pwd";
    let container = agent.task(script).launch();
    container.complete().assert_status(0);
    let said = container.file("stdout");
    assert!(said.starts_with("keys:\n") && said.ends_with("/sandbox\n"), "{said}");
    assert_eq!(said.matches("Read-only file system").count(), 3, "{said}");
    let mounts = container.file("mounts");
    assert!(!mounts.contains(" cgroup"), "{mounts}");
    // The old root, and the place where the layer was for a moment, are gone.
    let at = |path| mounts.lines().filter(|line| line.split(' ').nth(4) == Some(path)).count();
    assert_eq!((at("/"), at("/sys")), (1, 1), "{mounts}");
}

#[test]
fn another_user_with_volumes_and_a_pid_namespace() {
    need_root!();
    let system = system();
    let agent = Agent::builder()
        .flag("--isolation=namespaces/pid,filesystem/linux,posix/cpu,posix/mem")
        .flag(&format!("--default_rootfs={}", system.path().display()))
        .build();
    let data = open_directory(&agent, "data", "of the host");
    let list = [volume(&data, "/var/run/data", RW), volume(&data, "in-sandbox", RO), volume("private", "/tmp", RW)];
    let script = "id -un; echo $$; cat /run/data/content in-sandbox/content; echo x > /run/data/new; \
                  { echo x > in-sandbox/no; } 2>&1; echo x > /dev/null && echo discarded; touch /tmp/mine; \
                  stat -c %a /tmp; ls /proc | while read name; do case $name in [0-9]*) echo pid $name;; esac; done";
    let container = agent.task(script).user("nobody").edit(volumes(&list)).launch();
    container.complete().assert_status(0);
    let said = container.file("stdout");
    assert!(said.starts_with("nobody\n1\nof the host\nof the host\n"), "{said}{}", container.file("stderr"));
    assert!(said.contains("Read-only file system") && said.contains("\ndiscarded\n1777\npid 1\n"), "{said}");
    assert!(container.path("private/mine").exists() && agent.path("data/new").exists());
    // The shell, and what it has just started.
    assert!(said.matches("pid ").count() <= 4, "{said}");
}

/// The directory mounted upon itself, without set-user-id programs; gone with this.
struct NoSuid<'a>(&'a TempDir);

impl NoSuid<'_> {
    fn new(system: &TempDir) -> NoSuid<'_> {
        let none = None::<&str>;
        mount(Some(system.path()), system.path(), none, MsFlags::MS_BIND, none).unwrap();
        let made = NoSuid(system);
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NOSUID;
        mount(none, system.path(), none, flags, none).unwrap();
        made
    }
}

impl Drop for NoSuid<'_> {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

#[test]
fn what_its_file_system_does_not_allow_is_not_allowed_in_it() {
    need_root!();
    let system = system();
    fs::set_permissions(system.path().join("usr/bin/id"), fs::Permissions::from_mode(0o4755)).unwrap();
    let says = || {
        let agent = with(&system).build();
        let container = agent.task("id -un").user("nobody").launch();
        container.complete().assert_status(0);
        container.file("stdout")
    };
    assert_eq!(says(), "root\n");
    let _mount = NoSuid::new(&system);
    assert_eq!(says(), "nobody\n");
}

#[test]
fn what_cannot_be_a_root_directory_is_refused_before_anything_is_made() {
    need_root!();
    let system = system();
    fs::set_permissions(system.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let says = |flags: &[&str], words: &[&str]| {
        let agent = flags.iter().fold(linux(), |builder, flag| builder.flag(flag)).build();
        let task = agent.task("true");
        let reason = task.refused();
        assert_says(&reason, words);
        assert!(Agent::containers(&agent).is_empty());
    };
    let rootfs = format!("--default_rootfs={}", system.path().display());
    says(&[&rootfs], &["filesystem/linux", "probe", "must belong to root, and nobody else may write to it"]);
    fs::set_permissions(system.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["/", "/proc/x", "/dev", "/a/../b"] {
        let flag = format!("--sandbox_directory={directory}");
        says(&[&rootfs, &flag], &["--sandbox_directory=", "the sandbox cannot be there"]);
    }
    let nested = system.path().join("theirs/rootfs");
    fs::create_dir_all(&nested).unwrap();
    std::os::unix::fs::chown(system.path().join("theirs"), Some(65534), None).unwrap();
    let flag = format!("--default_rootfs={}", nested.display());
    says(&[&flag], &["others than root may put another directory in its place", "/theirs"]);
    says(&["--default_rootfs=/nonexistent-rootfs"], &["/nonexistent-rootfs", "No such file"]);
    says(&["--default_rootfs=/"], &["the host's own file system cannot be a root directory"]);
    let agent = Agent::builder().flag("--isolation=posix/cpu").flag(&rootfs).build();
    assert_says(&agent.task("true").refused(), &["--default_rootfs=", "needs filesystem/linux in --isolation"]);
    assert!(Agent::containers(&agent).is_empty());
}

#[test]
fn a_program_that_the_root_directory_does_not_have() {
    need_root!();
    let system = system();
    fs::remove_file(system.path().join("bin/sh")).unwrap();
    let agent = with(&system).build();
    let task = agent.task("true");
    let stderr = task.sandbox().join("stderr");
    let reason = task.refused();
    let says = ["cannot execute /bin/sh", "No such file or directory"];
    assert_says(&reason, &says);
    // Once from the first process's supervisor, once from launch through the agent.
    let said = fs::read_to_string(stderr).unwrap();
    assert!(says.iter().all(|words| said.matches(words).count() == 2), "{said}");
    assert!(Agent::containers(&agent).is_empty());
}
