//! What is refused, and what is found and made, without a container.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, geteuid};

use super::*;
use crate::isolators::filesystem::root::RootDirectory;

struct Bed {
    dir: tempfile::TempDir,
    sandbox: PathBuf,
}

impl Bed {
    /// A sandbox, and beside it `dir`, `file` and, with a private `tmp`, what a host has.
    fn new() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["work/sandbox", "dir/inner", "other", "tmp"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("file"), "content").unwrap();
        fs::set_permissions(path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        let sandbox = fs::canonicalize(path("work/sandbox")).unwrap();
        Bed { dir, sandbox }
    }

    fn path(&self, name: &str) -> String {
        fs::canonicalize(self.dir.path()).unwrap().join(name).to_str().unwrap().to_owned()
    }

    /// Both ends of the volumes, but no mounts, which take root.
    fn put_all(&self, volumes: &[(&str, &str)], rules: Rules) -> Result<Vec<Placed>> {
        let place = Place::new(&self.sandbox, (geteuid(), getegid()))?;
        put_all(volumes, &place, rules)
    }

    #[track_caller]
    fn said(&self, volumes: &[(&str, &str)], rules: Rules, says: &str) {
        let error = self.put_all(volumes, rules).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

fn put_all(volumes: &[(&str, &str)], place: &Place<'_>, rules: Rules) -> Result<Vec<Placed>> {
    let mut all = Vec::new();
    for (host, container) in volumes {
        let placed = put(&volume(host, container), place, rules, &all)?;
        all.push(placed);
    }
    Ok(all)
}

fn volume(host: &str, container: &str) -> Volume {
    Volume {
        container_path: container.to_owned(),
        host_path: Some(host.to_owned()),
        mode: Mode::Rw as i32,
        ..Volume::default()
    }
}

#[test]
fn container_paths_that_no_volume_can_have() {
    let bed = Bed::new();
    let dir = bed.path("dir");
    for (container, says) in [
        ("", "names nothing"),
        (".", "names nothing"),
        ("./.", "names nothing"),
        ("/", "is the root directory"),
        ("//.", "is the root directory"),
        ("..", "has \"..\" in it"),
        ("/usr/../etc", "has \"..\" in it"),
        ("a/../../b", "has \"..\" in it"),
        ("/proc", "/proc is the kernel's"),
        ("/./sys/", "/sys is the kernel's"),
        ("/dev", "/dev is the kernel's"),
        ("/proc/self/attr", "is in the kernel's /proc"),
        ("/sys/fs", "is in the kernel's /sys"),
        ("/proc\0", "NUL"),
    ] {
        bed.said(&[(&dir, container)], Rules::Linux, says);
    }
    let link = bed.path("to-proc");
    symlink("/proc", &link).unwrap();
    fs::set_permissions(bed.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    bed.said(&[(&dir, &link)], Rules::Linux, "/proc is the kernel's");
    for above in [&bed.sandbox, bed.sandbox.parent().unwrap(), bed.dir.path()] {
        bed.said(&[(&dir, above.to_str().unwrap())], Rules::Linux, "it would hide the sandbox");
    }
    assert_eq!(fs::read_dir(&bed.sandbox).unwrap().count(), 0, "something was made");
}

#[test]
fn host_paths_that_no_volume_can_have() {
    let bed = Bed::new();
    let other = bed.path("other");
    bed.said(&[("", &other)], Rules::Linux, "it has no host_path");
    bed.said(&[("../dir", &other)], Rules::Linux, "has \"..\" in it");
    bed.said(&[(".", &other)], Rules::Linux, "names nothing");
    bed.said(&[("data", "data2")], Rules::Linux, "both are relative");
    bed.said(&[(&bed.path("none"), &other)], Rules::Linux, "does not exist on this host");
    bed.said(&[(&bed.path("dir"), &bed.path("none"))], Rules::Linux, "use a relative one");
    bed.said(&[(&bed.path("dir"), &bed.path("none"))], Rules::Shared, "filesystem/linux with a relative one");
    bed.said(&[(&bed.path("dir"), "data")], Rules::Shared, "filesystem/shared does not know");
    symlink(bed.path("dir"), bed.sandbox.join("link")).unwrap();
    bed.said(&[("link", &other)], Rules::Linux, "link is a symbolic link");
    bed.said(&[(&bed.path("dir"), "link")], Rules::Linux, "link is a symbolic link");
    bed.said(&[(&bed.path("dir"), "link/x")], Rules::Linux, "link is a symbolic link");
    bed.said(&[(&bed.path("dir"), &bed.path("file"))], Rules::Linux, "dir is a directory and");
    bed.said(&[(&bed.path("file"), &other)], Rules::Linux, "file is a file and");
    assert_eq!(fs::read_dir(bed.path("dir")).unwrap().count(), 1);
}

#[test]
fn volumes_that_are_in_each_others_way() {
    let bed = Bed::new();
    let (dir, inner, other) = (bed.path("dir"), bed.path("dir/inner"), bed.path("other"));
    for rules in [Rules::Shared, Rules::Linux] {
        bed.said(&[(&other, &dir), (&other, &format!("{dir}/."))], rules, "there is another volume at");
    }
    bed.said(&[(&other, &dir), (&other, &inner)], Rules::Shared, "is within the other");
    bed.said(&[(&other, &inner), (&other, &dir)], Rules::Shared, "is within the other");
    bed.said(&[(&other, &inner), (&other, &dir)], Rules::Linux, "put this one first");
    // What counts is what the container has there by then.
    bed.said(&[(&other, &dir), (&other, &inner)], Rules::Linux, "there is no inner in the volume at");
    fs::create_dir(bed.path("other/inner")).unwrap();
    let all = bed.put_all(&[(&other, &dir), (&dir, &inner)], Rules::Linux).unwrap();
    assert_eq!(all[1].at, Path::new(&inner));
    let in_sandbox = bed.put_all(&[(&other, "data"), (&dir, "data/inner")], Rules::Linux).unwrap();
    assert_eq!(in_sandbox[1].at, bed.sandbox.join("data/inner"));
}

#[test]
fn mount_points_and_private_directories_are_made_in_the_sandbox() {
    let bed = Bed::new();
    let volumes = [(&*bed.path("dir"), "a/data"), (&bed.path("file"), "b/conf"), ("./.private/tmp", &bed.path("tmp"))];
    let all = bed.put_all(&volumes, Rules::Linux).unwrap();
    let made = |name: &str| fs::metadata(bed.sandbox.join(name)).unwrap();
    assert!(made("a/data").is_dir() && made("b/conf").is_file());
    assert_eq!(made("b/conf").len(), 0);
    let modes = [".private", ".private/tmp"].map(|name| made(name).mode() & 0o7777);
    assert_eq!(modes, [0o755, 0o1777]);
    assert_eq!(all[2].from, bed.sandbox.join(".private/tmp"));
    // A second time nothing changes.
    bed.put_all(&volumes, Rules::Linux).unwrap();
    let private = bed.put_all(&[("conf", &bed.path("file"))], Rules::Shared).unwrap();
    assert!(made("conf").is_file() && private[0].at == Path::new(&bed.path("file")));
}

#[test]
fn in_a_root_of_its_own_what_is_missing_is_made_inside() {
    let bed = Bed::new();
    if !geteuid().is_root() {
        return;
    }
    let root = bed.dir.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    symlink("/etc", root.join("link")).unwrap();
    for (path, mode) in [(&root, 0o755), (&root.join("etc"), 0o1755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let opened = RootDirectory::open(&root).unwrap();
    let place = Place::new(&bed.sandbox, (geteuid(), getegid())).unwrap();
    let place = place.in_root(&opened, PathBuf::from("/mnt/mesos/sandbox"));
    let volumes = [(&*bed.path("dir"), "/data/deep"), (&bed.path("file"), "/link/conf"), (&bed.path("dir"), "data")];
    let all = put_all(&volumes, &place, Rules::Linux).unwrap();
    let at: Vec<_> = all.iter().map(|placed| placed.at.to_str().unwrap()).collect();
    assert_eq!(at, ["/data/deep", "/etc/conf", "/mnt/mesos/sandbox/data"]);
    // In the layer, not in the directory itself.
    assert!(!root.join("data").exists() && bed.sandbox.join("data").is_dir());
    let said = |list: &[(&str, &str)]| put_all(list, &place, Rules::Linux).unwrap_err().to_string();
    assert!(said(&[(&bed.path("dir"), "/mnt/mesos")]).contains("hide the sandbox"));
    assert!(said(&[(&bed.path("file"), "/link")]).contains("is a file and"));
    assert!(said(&[(&bed.path("file"), "/dev/foo")]).contains("/dev is its own, and /dev/foo is not in it"));
    put_all(&[(&bed.path("file"), "/dev/null"), (&bed.path("dir"), "/dev/shm")], &place, Rules::Linux).unwrap();
    // The sandbox by the name that the container has for it.
    let inside = put_all(&[(&bed.path("dir"), "/mnt/mesos/sandbox/named")], &place, Rules::Linux).unwrap();
    assert_eq!(inside[0].at, Path::new("/mnt/mesos/sandbox/named"));
    assert!(bed.sandbox.join("named").is_dir());
    // A private directory is like what it stands in for.
    put_all(&[("private", "/etc")], &place, Rules::Linux).unwrap();
    assert_eq!(fs::metadata(bed.sandbox.join("private")).unwrap().mode() & 0o7777, 0o1755);
}
