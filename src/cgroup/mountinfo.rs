//! What is mounted, by a mountinfo file: proc_pid_mountinfo(5).
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// One mounted cgroup hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it can be seen.
    pub(super) point: PathBuf,
    /// Which part of the hierarchy can be seen there.
    pub(super) root: PathBuf,
    /// cgroup2 and not cgroup.
    pub(super) unified: bool,
    /// By mount or by file system.
    pub(super) read_only: bool,
    /// Controllers and `name=...` of a v1 hierarchy.
    pub(super) controllers: Vec<String>,
}

struct Line<'a> {
    id: &'a [u8],
    parent: &'a [u8],
    root: &'a [u8],
    /// As written: a prefix of it is a prefix of the path, since a slash is never escaped.
    point: &'a [u8],
    options: &'a [u8],
    kind: &'a [u8],
    super_options: &'a [u8],
}

fn line(text: &[u8]) -> Option<Line<'_>> {
    let mut fields = text.split(|b| *b == b' ');
    let (id, parent, _device) = (fields.next()?, fields.next()?, fields.next()?);
    let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
    // Optional fields, as many as there are, end with a dash.
    fields.by_ref().find(|field| *field == b"-")?;
    let (kind, _source) = (fields.next()?, fields.next()?);
    let super_options = fields.next().unwrap_or_default();
    Some(Line { id, parent, root, point, options, kind, super_options })
}

/// The kernel writes space, tab, line feed and backslash as `\ooo`.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        let Some(digits) = octal else {
            bytes.push(*first);
            rest = tail;
            continue;
        };
        bytes.push(digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
        rest = tail.get(3..).unwrap_or_default();
    }
    OsString::from_vec(bytes)
}

/// Something that is mounted on a directory or anywhere below it, by a mountinfo file. The path must have no links in it.
///
/// # Errors
/// When the file cannot be read.
pub fn mounted_below(mountinfo: &Path, directory: &Path) -> Result<Option<PathBuf>> {
    let text = std::fs::read(mountinfo).map_err(Error::path("find what is mounted in", mountinfo))?;
    let mut points = text.split(|b| *b == b'\n').filter_map(line).map(|line| PathBuf::from(unescape(line.point)));
    Ok(points.find(|point| point.starts_with(directory)))
}

/// All cgroup mounts that can be reached by their path, in the order of the file.
pub(super) fn cgroup_mounts(text: &[u8]) -> Vec<Mount> {
    let lines: Vec<Line<'_>> = text.split(|b| *b == b'\n').filter_map(line).collect();
    let of_cgroups = lines.iter().filter(|l| l.kind == b"cgroup" || l.kind == b"cgroup2");
    of_cgroups.filter(|l| is_reachable(l, &lines)).map(mount).collect()
}

/// Whether the path leads to this mount and not to one that lies over it. The order of the lines says nothing of that: where
/// an initial RAM disk has mounted the hierarchies, the root's own line comes after theirs.
fn is_reachable(wanted: &Line<'_>, lines: &[Line<'_>]) -> bool {
    let on_the_way: Vec<&Line<'_>> = lines.iter().filter(|l| is_prefix(l.point, wanted.point)).collect();
    // None: what the root directory is on, which has a line only if it is a mount point.
    let mut here: Option<&Line<'_>> = None;
    // Along the path as the kernel goes: onto what is mounted on this mount, the nearest first, of two at a place the later.
    for _ in 0..on_the_way.len() {
        let on_this = on_the_way.iter().rev().filter(|l| match here {
            Some(here) => l.parent == here.id && l.id != here.id,
            None => l.id == l.parent || !on_the_way.iter().any(|other| other.id == l.parent),
        });
        match on_this.min_by_key(|l| l.point.len()) {
            Some(next) => here = Some(next),
            None => break,
        }
    }
    here.is_some_and(|here| std::ptr::eq(here, wanted))
}

/// Whether the path is that of `below` or above it.
fn is_prefix(path: &[u8], below: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    below.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

fn mount(line: &Line<'_>) -> Mount {
    let has = |options: &[u8], wanted: &[u8]| options.split(|b| *b == b',').any(|option| option == wanted);
    let unified = line.kind == b"cgroup2";
    let mut controllers = Vec::new();
    if !unified {
        for option in line.super_options.split(|b| *b == b',') {
            if let Ok(name) = std::str::from_utf8(option)
                && (KNOWN.contains(&name) || name.starts_with("name="))
            {
                controllers.push(name.to_owned());
            }
        }
    }
    Mount {
        point: PathBuf::from(unescape(line.point)),
        root: Path::new(OsStr::from_bytes(line.root)).to_path_buf(),
        unified,
        read_only: has(line.options, b"ro") || has(line.super_options, b"ro"),
        controllers,
    }
}

/// Controllers of Linux's v1 hierarchies (cgroup_subsys.h); all other options are flags such as `rw` and `xattr`.
const KNOWN: [&str; 14] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
];

#[cfg(test)]
mod tests;
