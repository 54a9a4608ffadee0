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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn points(text: &str) -> Vec<(String, Vec<String>)> {
        cgroup_mounts(text.as_bytes()).into_iter().map(|m| (m.point.display().to_string(), m.controllers)).collect()
    }

    #[test]
    fn one_by_one_co_mounted_and_named() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                    32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n\
                    33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
                    34 31 0:31 /docker/1 /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw,nsdelegate\n";
        let mounts = cgroup_mounts(text.as_bytes());
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!(mounts[1].controllers, ["name=systemd"]);
        assert!(mounts[2].unified && mounts[2].read_only && mounts[2].root == Path::new("/docker/1"));
    }

    #[test]
    fn odd_names_are_unescaped() {
        let text = "5 1 0:9 / /mnt/a\\040b\\134c rw - cgroup none rw,cpu\n";
        assert_eq!(points(text), [("/mnt/a b\\c".to_owned(), vec!["cpu".to_owned()])]);
    }

    #[test]
    fn what_another_mount_hides_is_not_there() {
        let text = "31 23 0:28 / /cgroup rw - tmpfs tmpfs rw\n\
                    32 31 0:29 / /cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                    33 31 0:30 / /cgroup/pids rw - cgroup cgroup rw,pids\n\
                    40 33 0:44 / /cgroup/pids rw - tmpfs tmpfs rw\n";
        assert_eq!(points(text), [("/cgroup/cpu".to_owned(), vec!["cpu".to_owned()])]);
        let covered = format!("{text}50 31 0:50 / /cgroup rw - tmpfs tmpfs rw\n");
        assert!(points(&covered).is_empty());
    }

    #[test]
    fn a_root_that_was_mounted_later_hides_nothing() {
        // As after an initial RAM disk: /sys was mounted first and moved.
        let text = "22 61 0:21 / /sys rw - sysfs sysfs rw\n\
                    28 22 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                    29 28 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                    61 1 253:0 / / rw - xfs /dev/x rw\n";
        assert_eq!(points(text), [("/sys/fs/cgroup/cpu".to_owned(), vec!["cpu".to_owned()])]);
        let covered = format!("{text}62 61 0:60 / /sys rw - sysfs sysfs rw\n");
        assert!(points(&covered).is_empty());
        // And mounted anew over that.
        let again = format!("{covered}63 62 0:61 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        assert_eq!(points(&again).len(), 1);
    }

    #[test]
    fn the_uppermost_of_two_at_one_place_counts() {
        let text = "5 1 0:9 / /c rw - cgroup none rw,cpu\n6 5 0:10 / /c rw - cgroup none rw,pids\n";
        assert_eq!(points(text), [("/c".to_owned(), vec!["pids".to_owned()])]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~\n\\\\0-9]{0,300}", bytes: Vec<u8>) {
            cgroup_mounts(text.as_bytes());
            cgroup_mounts(&bytes);
            let line = format!("1 1 0:1 / /{text} rw - cgroup c rw,{text}\n");
            cgroup_mounts(line.as_bytes());
        }

        #[test]
        fn trees_of_any_shape_end(ids: Vec<(u8, u8, u8)>) {
            let line = |(id, parent, at): &(u8, u8, u8)| {
                let point = "/a/b/c".get(..usize::from(at % 4) * 2).filter(|p| !p.is_empty()).unwrap_or("/");
                format!("{} {} 0:1 / {point} rw - cgroup c rw,cpu\n", id % 4, parent % 4)
            };
            let text: String = ids.iter().map(line).collect();
            proptest::prop_assert!(cgroup_mounts(text.as_bytes()).len() <= ids.len());
        }

        #[test]
        fn unescaping_undoes_the_kernels_escaping(name: Vec<u8>) {
            let mut escaped = Vec::new();
            for byte in &name {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").into_bytes()),
                    other => escaped.push(*other),
                }
            }
            proptest::prop_assert_eq!(unescape(&escaped).into_vec(), name);
        }
    }

    #[test]
    fn mounts_are_found_at_and_below_a_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "1 0 8:1 / / rw - ext4 a rw\n5 1 0:9 /x /a/b\\040c/d rw - ext4 a rw\n").unwrap();
        let below = |path: &str| mounted_below(file.path(), Path::new(path)).unwrap();
        for path in ["/", "/a", "/a/b c", "/a/b c/d"] {
            assert!(below(path).is_some(), "{path}");
        }
        for path in ["/a/b", "/a/b c/d/e", "/a/b c/dd"] {
            assert_eq!(below(path), None, "{path}");
        }
        assert!(mounted_below(Path::new("/nonexistent"), Path::new("/")).is_err());
    }

    #[test]
    fn damaged_lines_are_no_mounts() {
        assert!(points("").is_empty());
        assert!(points("31 23\n 1 2 3 4 5 6\n31 23 0:28 / /x rw - \n\u{fffd}").is_empty());
    }
}
