//! Somebody who owns the sandbox moves things about while an archive is extracted.
#![forbid(unsafe_code)]

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::archives::Tar;
use super::*;

/// In a round the directory `d` is a link that leads out half of the time.
const ROUNDS: u64 = 8;

#[test]
fn a_directory_that_becomes_a_link_now_and_then() {
    for openat2 in [true, false] {
        for (prefix, relative) in [("d", true), ("d", false), ("real/d", true)] {
            attacked(openat2, prefix, relative);
        }
    }
}

fn attacked(openat2: bool, prefix: &str, relative: bool) {
    let host = Host::with(openat2);
    let (place, trap) = (host.path("box").join(prefix), host.path("trap"));
    fs::create_dir_all(&place).unwrap();
    let up = "../".repeat(prefix.split('/').count());
    symlink(if relative { PathBuf::from(format!("{up}out")) } else { host.path("out") }, &trap).unwrap();
    // By turns, so that the directory is looked for again with each member.
    let mut tar = Tar::new();
    for number in 0..60 {
        tar = tar.file(&format!("{prefix}/f{number}"), "evil").directory(&format!("{prefix}/dir"), 0o777);
        tar = tar.file("elsewhere/f", "").symlink(&format!("{prefix}/l{number}"), "x").hard_link("h", "elsewhere/f");
        tar = tar.hard_link("h", &format!("{prefix}/f{number}"));
    }
    let mut archive = tempfile::tempfile().unwrap();
    archive.write_all(&tar.end()).unwrap();
    let sandbox = File::open(host.path("box")).unwrap();
    let outside = snapshot(&host.path("out"));
    let (ended, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _end = AtEnd(&ended);
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &place, AT_FDCWD, &trap, RenameFlags::RENAME_EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..ROUNDS {
            let before = swaps.load(Ordering::Relaxed);
            // Whether it succeeds is a matter of luck.
            let _ = extract_with(&archive, Kind::Tar, "x.tar", &sandbox, None, &LIMITS, openat2);
            assert_eq!(snapshot(&host.path("out")), outside, "something outside of the sandbox has changed");
            for _ in 0..1_000_000 {
                if swaps.load(Ordering::Relaxed) >= before + 2 {
                    break;
                }
                std::thread::yield_now();
            }
        }
    });
    assert!(swaps.load(Ordering::Relaxed) > 0);
    let left = snapshot(host.directory.path()).into_iter().find(|line| line.contains(".mesos-ecp-fetch"));
    assert_eq!(left, None, "a temporary file is left");
}

/// Has the other thread end, also when a test fails.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
