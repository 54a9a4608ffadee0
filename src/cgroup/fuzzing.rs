//! mountinfo and the texts of control groups.
#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::mount::hierarchy_of;
use super::mountinfo::{Mount, cgroup_mounts};
use super::{Cgroup, Hierarchies, keyed, mounted_below, number, own_path};
use crate::fuzzing::{Scratch, said, text};

const MOST_MOUNTS: usize = 60;

/// Any bytes as a mountinfo file: each line is one mount at most, a mount that is found is found by a line of its own as well, and so is
/// what the hierarchies are made of.
pub(crate) fn mountinfo(data: &[u8]) {
    // What lies over what is found out in the cube of how many lie over each other. A host has a few.
    let mut ends = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let data = &data[..ends.nth(MOST_MOUNTS).unwrap_or(data.len())];
    let mounts = cgroup_mounts(data);
    assert!(mounts.len() <= data.split(|byte| *byte == b'\n').count());
    for mount in &mounts {
        assert_eq!(cgroup_mounts(&line(mount)).as_slice(), std::slice::from_ref(mount));
    }
    let scratch = Scratch::new();
    let file = scratch.file("mountinfo", data);
    if let Some(hierarchies) = said(Hierarchies::read(&file)) {
        for hierarchy in hierarchies.all() {
            assert!(mounts.iter().any(|mount| mount.point == hierarchy.mount_point && !mount.read_only));
            for controller in &hierarchy.controllers {
                assert!(hierarchies.v1(controller).is_some());
            }
        }
    }
    for below in ["/", "/sys/fs/cgroup", "/a b"] {
        if let Some(Some(found)) = said(mounted_below(&file, Path::new(below))) {
            assert!(found.starts_with(below));
        }
    }
}

/// As the kernel writes it.
fn line(mount: &Mount) -> Vec<u8> {
    let mut line = b"7 7 0:1 ".to_vec();
    line.extend(mount.root.as_os_str().as_bytes());
    line.push(b' ');
    for byte in mount.point.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => line.extend(format!("\\{byte:03o}").bytes()),
            _ => line.push(*byte),
        }
    }
    let (mode, kind) = (if mount.read_only { "ro" } else { "rw" }, if mount.unified { "cgroup2" } else { "cgroup" });
    line.extend(format!(" {mode} shared:1 - {kind} none {mode},{}\n", mount.controllers.join(",")).bytes());
    line
}

/// A flat keyed file, whose first line says what is asked for; a list of hierarchies; and a process's place in each.
pub(crate) fn keys(data: &[u8]) {
    let text = text(data);
    let (key, rest) = text.split_once('\n').unwrap_or((text, ""));
    assert!(keyed(rest, key).is_none_or(|value| value == u64::MAX || rest.contains(&value.to_string())));
    number(key);
    if let Some(path) = own_path(rest, key) {
        assert!(rest.contains(path));
    }
    if let Some(all) = hierarchy_of(rest, key) {
        assert!(all.contains(&key));
    }
}

/// A control file of a group, as one number and as a list of processes.
pub(crate) fn file(data: &[u8]) {
    let scratch = Scratch::new();
    scratch.file("cgroup.procs", data);
    let Some(cgroup) = said(Cgroup::open(scratch.path())) else { return };
    said(cgroup.number("cgroup.procs"));
    if let Some(pids) = said(cgroup.procs()) {
        assert!(pids.len() <= data.len());
    }
}
