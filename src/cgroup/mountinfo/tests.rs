//! Mountinfo files as kernels write them, and others.
#![forbid(unsafe_code)]
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
