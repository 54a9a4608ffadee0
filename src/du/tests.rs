//! Against GNU du, and against somebody who changes the tree meanwhile.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{OFlag, openat};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, mkdirat};
use proptest::prelude::*;

use super::Walk;

fn walk(top: &Path) -> Walk {
    let mut walk = Walk::begin(File::open(top).unwrap().as_fd()).unwrap();
    while !walk.advance(100).unwrap() {}
    walk
}

/// What `du` says, in bytes.
fn du(top: &Path) -> u64 {
    let out = Command::new("du").args(["-k", "-s", "-x"]).arg(top).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    text.split('\t').next().unwrap().parse::<u64>().unwrap() * 1024
}

fn same(top: &Path) {
    assert_eq!(walk(top).bytes(), du(top), "{}", top.display());
}

/// One thing in a tree; `at`: in which of the directories so far.
#[derive(Debug, Clone)]
enum Made {
    Directory { at: usize, name: Vec<u8> },
    File { at: usize, name: Vec<u8>, bytes: usize },
    Sparse { at: usize, name: Vec<u8>, hole: u64 },
    Link { at: usize, name: Vec<u8>, to: usize },
    HardLink { at: usize, name: Vec<u8>, to: usize },
    Fifo { at: usize, name: Vec<u8> },
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![1..=46u8, 48..=255u8], 1..40)
        .prop_filter("they are there already", |name| name != b"." && name != b"..")
}

fn made() -> impl Strategy<Value = Made> {
    let at = any::<usize>();
    prop_oneof![
        3 => (at, name()).prop_map(|(at, name)| Made::Directory { at, name }),
        4 => (at, name(), prop_oneof![0..9000usize, Just(200_000)])
            .prop_map(|(at, name, bytes)| Made::File { at, name, bytes }),
        1 => (at, name(), 0..1_000_000_000u64).prop_map(|(at, name, hole)| Made::Sparse { at, name, hole }),
        2 => (at, name(), at).prop_map(|(at, name, to)| Made::Link { at, name, to }),
        3 => (at, name(), at).prop_map(|(at, name, to)| Made::HardLink { at, name, to }),
        1 => (at, name()).prop_map(|(at, name)| Made::Fifo { at, name }),
    ]
}

fn make(top: &Path, all: &[Made]) {
    let (mut directories, mut files) = (vec![top.to_path_buf()], Vec::<PathBuf>::new());
    for made in all {
        let place = |at: usize, name: &[u8]| {
            directories.get(at % directories.len()).unwrap().join(std::ffi::OsStr::from_bytes(name))
        };
        let pick = |to: usize| files.get(to % files.len().max(1)).cloned();
        // A name may be there already: that is as good.
        match made {
            Made::Directory { at, name } => {
                let path = place(*at, name);
                if fs::create_dir(&path).is_ok() {
                    directories.push(path);
                }
            }
            Made::File { at, name, bytes } => {
                let path = place(*at, name);
                if fs::write(&path, vec![7; *bytes]).is_ok() {
                    files.push(path);
                }
            }
            Made::Sparse { at, name, hole } => {
                if let Ok(file) = File::create(place(*at, name)) {
                    file.write_all_at(b"end", *hole).unwrap();
                }
            }
            Made::Link { at, name, to } => {
                let _ = symlink(pick(*to).unwrap_or("/".into()), place(*at, name));
            }
            Made::HardLink { at, name, to } => {
                if let Some(file) = pick(*to) {
                    let _ = fs::hard_link(file, place(*at, name));
                }
            }
            Made::Fifo { at, name } => {
                let _ = nix::unistd::mkfifo(&place(*at, name), Mode::S_IRWXU);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn a_tree_at_rest_is_as_large_as_du_says(all in prop::collection::vec(made(), 0..120)) {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &all);
        prop_assert_eq!(walk(dir.path()).bytes(), du(dir.path()));
    }
}

/// A chain of directories; returns the deepest.
fn nest(top: &Path, depth: usize, with: impl Fn(&File, usize)) {
    let mut here = File::open(top).unwrap();
    for level in 0..depth {
        with(&here, level);
        mkdirat(&here, "d", Mode::S_IRWXU).unwrap();
        here = openat(&here, "d", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).unwrap().into();
    }
    with(&here, depth);
}

fn touch(directory: &File, name: &str) -> File {
    let flags = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::S_IRWXU).unwrap().into()
}

#[test]
fn five_thousand_levels_deep_with_a_handful_of_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    nest(dir.path(), 5000, |here, level| {
        // Behind and in front of the one to go down into.
        for name in ["a", "e", "z"] {
            touch(here, name).write_all_at(b"x", 0).unwrap();
        }
        if level % 100 == 0 {
            mkdirat(here, "c", Mode::S_IRWXU).unwrap();
        }
    });
    same(dir.path());
    let mut walk = Walk::begin(File::open(dir.path()).unwrap().as_fd()).unwrap();
    while !walk.advance(1000).unwrap() {
        assert!(walk.descriptors() <= 17);
    }
    // The standard library's way of removing it takes a descriptor for each level.
    assert!(Command::new("rm").args(["-rf", "--"]).arg(dir.path().join("d")).status().unwrap().success());
}

#[test]
fn two_hundred_thousand_entries() {
    let dir = tempfile::tempdir().unwrap();
    let top = File::open(dir.path()).unwrap();
    for part in 0..20 {
        let name = format!("part{part}");
        mkdirat(&top, name.as_str(), Mode::S_IRWXU).unwrap();
        let wide: File = openat(&top, name.as_str(), OFlag::O_DIRECTORY, Mode::empty()).unwrap().into();
        for number in 0..9950 {
            match number % 10 {
                0 => drop(mkdirat(&wide, format!("d{number}").as_str(), Mode::S_IRWXU)),
                1..4 => {
                    let (old, new) = (dir.path().join(&name).join("f9"), dir.path().join(&name));
                    touch(&wide, "f9");
                    fs::hard_link(old, new.join(format!("h{number}"))).unwrap();
                }
                _ => drop(touch(&wide, &format!("f{number}"))),
            }
        }
    }
    same(dir.path());
}

#[test]
fn other_mounts_do_not_count() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    // A mount namespace of the thread's own.
    let test = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let (none, slave) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, slave, none).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("a/mount")).unwrap();
        fs::create_dir_all(path("a/same")).unwrap();
        fs::write(path("a/file"), vec![1; 50_000]).unwrap();
        let without_file = walk(&path("a")).bytes() - fs::metadata(path("a/file")).unwrap().blocks() * 512;
        mount(Some("tmpfs"), &path("a/mount"), Some("tmpfs"), MsFlags::empty(), none).unwrap();
        fs::write(path("a/mount/big"), vec![1; 100_000]).unwrap();
        mount(Some(&path("a/mount/big")), &path("a/file"), none, MsFlags::MS_BIND, none).unwrap();
        same(&path("a"));
        // Another mount of the same file system, of which du has no notion.
        fs::create_dir(path("b")).unwrap();
        fs::write(path("b/big"), vec![1; 100_000]).unwrap();
        mount(Some(&path("b")), &path("a/same"), none, MsFlags::MS_BIND, none).unwrap();
        let left = walk(&path("a")).bytes();
        assert!(left <= without_file && without_file - left < 20_000, "{left} of {without_file}");
        ["a/file", "a/mount", "a/same"].iter().for_each(|name| nix::mount::umount(&path(name)).unwrap());
    });
    test.join().unwrap();
}

#[test]
fn what_cannot_be_read_is_said() {
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(walk(dir.path()).unreadable(), 1);
    same(dir.path());
}

/// Calls `change` after every so many entries.
fn walk_while(top: &Path, step: u32, mut change: impl FnMut(usize)) -> Walk {
    let mut walk = Walk::begin(File::open(top).unwrap().as_fd()).unwrap();
    for turn in 0..1_000_000 {
        if walk.advance(step).unwrap() {
            return walk;
        }
        change(turn);
    }
    panic!("it does not end");
}

#[test]
fn who_moves_the_way_back_loses_nothing_that_stays() {
    let dir = tempfile::tempdir().unwrap();
    nest(dir.path(), 60, |here, level| {
        // In every level more files behind the way down than in front of it, whatever the order is.
        for number in 0..20 {
            touch(here, &format!("{level}-{number}")).write_all_at(b"x", 0).unwrap();
        }
    });
    let path = |depth: usize| dir.path().join(vec!["d"; depth].join("/"));
    let below = walk(&path(40)).bytes();
    let all = walk(dir.path()).bytes();
    let mut moved = false;
    let counted = walk_while(dir.path(), 1, |_| {
        // When it is in the depth and the directories above are closed.
        if !moved && deepest(&path(59)) {
            fs::rename(path(40), dir.path().join("aside")).unwrap();
            moved = true;
        }
    });
    assert!(moved && counted.unreadable() == 0);
    // What was moved may have been counted in both places, and of what is below it a part may be missing.
    assert!(counted.bytes() + below >= all && counted.bytes() <= all + below, "{} {all} {below}", counted.bytes());
}

/// Whether this process has it open.
fn deepest(path: &Path) -> bool {
    let Ok(links) = fs::read_dir("/proc/self/fd") else { return false };
    links.flatten().any(|link| fs::read_link(link.path()).is_ok_and(|to| to == path))
}

#[test]
fn removed_under_way() {
    let dir = tempfile::tempdir().unwrap();
    nest(dir.path(), 40, |here, _| drop(touch(here, "file")));
    let counted = walk_while(dir.path(), 30, |_| drop(fs::remove_dir_all(dir.path().join("d/d"))));
    assert_eq!(counted.unreadable(), 0);
    assert_eq!(walk(dir.path()).bytes(), du(dir.path()));
}

#[test]
fn it_ends_though_directories_are_made_ahead_of_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    let mut walk = Walk::begin(File::open(dir.path()).unwrap().as_fd()).unwrap();
    walk.patience = 500;
    let mut deepest: File = File::open(dir.path().join("d")).unwrap();
    let mut made = 0;
    // Three names a level: the two dots and the next level.
    while !walk.advance(3).unwrap() {
        for _ in 0..4 {
            mkdirat(&deepest, "d", Mode::S_IRWXU).unwrap();
            deepest = openat(&deepest, "d", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).unwrap().into();
            made += 1;
        }
        assert!(made < 20_000, "it follows for ever");
    }
    assert!(made > 1000 && walk.patience == 0);
    assert!(Command::new("rm").args(["-rf", "--"]).arg(dir.path().join("d")).status().unwrap().success());
}

/// How often `m`, of two megabytes, is counted that is moved ahead of the walk whenever it was.
fn times_counted(make: impl Fn(&Path)) -> u64 {
    const SIZE: u64 = 2 << 20;
    let dir = tempfile::tempdir().unwrap();
    (0..60).for_each(|number| fs::create_dir(dir.path().join(format!("d{number}"))).unwrap());
    // In the order in which a walk comes by.
    let order: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    make(&order[0].join("m"));
    let (mut at, mut counted) = (0, 0);
    walk_steps(dir.path(), |walk| {
        if walk.bytes() >= (counted + 1) * SIZE {
            counted += 1;
            if let Some(next) = order.get(at + 3) {
                fs::rename(order[at].join("m"), next.join("m")).unwrap();
                at += 3;
            }
        }
    });
    counted
}

fn walk_steps(top: &Path, mut each: impl FnMut(&Walk)) {
    let mut walk = Walk::begin(File::open(top).unwrap().as_fd()).unwrap();
    while !walk.advance(1).unwrap() {
        each(&walk);
    }
}

#[test]
fn what_is_moved_ahead_does_not_count_twice() {
    assert_eq!(times_counted(|path| fs::write(path, vec![1; 2 << 20]).unwrap()), 1);
    let directory = |path: &Path| {
        fs::create_dir(path).unwrap();
        (0..40).for_each(|number| fs::write(path.join(number.to_string()), vec![1; 56 << 10]).unwrap());
    };
    assert_eq!(times_counted(directory), 1);
}

#[test]
fn ways_back_that_are_changed_again_and_again_are_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let aside = dir.path().join("aside");
    fs::create_dir(&aside).unwrap();
    nest(dir.path(), 300, |_, _| {});
    let mut walk = Walk::begin(File::open(dir.path()).unwrap().as_fd()).unwrap();
    walk.patience = 2000;
    let (mut deepest, mut moved) = (0, 0);
    while !walk.advance(1).unwrap() {
        let depth = walk.depth();
        deepest = deepest.max(depth);
        if depth < deepest && depth > 1 {
            // Where it is goes elsewhere, so that the way back is not there any more.
            deepest = depth;
            let here = dir.path().join(vec!["d"; depth - 1].join("/"));
            moved += usize::from(fs::rename(here, aside.join(depth.to_string())).is_ok());
        }
    }
    // Each way from the top takes hundreds of steps.
    assert!((5..60).contains(&moved) && walk.patience == 0, "{moved}");
    assert!(Command::new("rm").args(["-rf", "--"]).arg(&aside).arg(dir.path().join("d")).status().unwrap().success());
}
