//! Somebody swaps directories for links and back, as fast as they can: nothing that is opened or made is ever outside.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::{getegid, geteuid};

use super::resolve::path_of;
use super::{Beneath, InRoot, Owner, trusted};

/// `inside/a` is in turn a directory and a link to `outside`; both have a directory `b`.
struct Arena {
    dir: tempfile::TempDir,
    stop: AtomicBool,
    swaps: AtomicUsize,
}

impl Arena {
    fn new(link_to: impl FnOnce(&Path) -> PathBuf) -> Arena {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("inside/a/b")).unwrap();
        fs::create_dir_all(path("outside/b")).unwrap();
        symlink(link_to(&path("outside")), path("inside/evil")).unwrap();
        Arena { dir, stop: AtomicBool::new(false), swaps: AtomicUsize::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    /// Calls `attempt` for a while with the open directory `inside`, while the names are swapped; it says whether it succeeded.
    /// Both must have happened, or the race was none.
    fn race(&self, mut attempt: impl FnMut(BorrowedFd<'_>) -> bool) {
        let inside = File::open(self.path("inside")).unwrap();
        let (a, evil) = (self.path("inside/a"), self.path("inside/evil"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !self.stop.load(Ordering::Relaxed) {
                    renameat2(AT_FDCWD, &a, AT_FDCWD, &evil, RenameFlags::RENAME_EXCHANGE).unwrap();
                    self.swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let end = Instant::now() + Duration::from_millis(300);
            let (mut good, mut bad) = (0, 0);
            // A failed assertion must not leave the other thread running for ever.
            let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                while Instant::now() < end || good == 0 || bad == 0 {
                    assert!(Instant::now() < end + Duration::from_secs(60), "{good} succeeded, {bad} failed: no race");
                    if attempt(inside.as_fd()) { good += 1 } else { bad += 1 }
                }
            }));
            self.stop.store(true, Ordering::Relaxed);
            tried.unwrap();
        });
        assert!(self.swaps.load(Ordering::Relaxed) > 100);
        let outside: Vec<_> = fs::read_dir(self.path("outside")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(outside, ["b"], "something was made outside");
        assert_eq!(fs::read_dir(self.path("outside/b")).unwrap().count(), 0, "something was made outside");
    }

    #[track_caller]
    fn assert_inside(&self, fd: BorrowedFd<'_>) {
        let found = path_of(fd).unwrap();
        assert!(found.starts_with(self.path("inside")), "{}", found.display());
    }
}

fn owner() -> Owner {
    Owner { uid: geteuid(), gid: getegid(), mode: 0o700 }
}

#[test]
fn beneath_opens_nothing_outside() {
    let arena = Arena::new(Path::to_path_buf);
    arena.race(|inside| match Beneath::new(inside, Path::new("/inside")).open(Path::new("a/b")) {
        Ok(fd) => {
            arena.assert_inside(fd.as_fd());
            true
        }
        Err(_) => false,
    });
}

#[test]
fn beneath_makes_nothing_outside() {
    let arena = Arena::new(Path::to_path_buf);
    let mut count = 0;
    arena.race(|inside| {
        count += 1;
        let beneath = Beneath::new(inside, Path::new("/inside"));
        let path = PathBuf::from(format!("a/b/c{}/d", count % 500));
        let made = if count % 2 == 0 {
            beneath.make_directory(&path, owner())
        } else {
            beneath.make_file(&path.with_extension("file"), owner())
        };
        made.map(|fd| arena.assert_inside(fd.as_fd())).is_ok()
    });
}

#[test]
fn a_trusted_path_leads_nowhere_else() {
    let arena = Arena::new(Path::to_path_buf);
    // Somebody else's, for the links in it.
    let inside = arena.path("inside");
    fs::set_permissions(&inside, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let path = inside.join("a/b");
    arena.race(|_| match trusted(&path) {
        Ok(found) => {
            assert_eq!(found.path, path);
            arena.assert_inside(found.fd.as_fd());
            true
        }
        Err(_) => false,
    });
}

#[test]
fn a_root_is_not_left_by_a_link() {
    // The same name from both sides: whoever follows the link in the host's root comes outside.
    let arena = Arena::new(Path::to_path_buf);
    arena.race(|inside| match InRoot::new(inside, Path::new("/inside")).open(Path::new("/a/b")) {
        Ok(found) => {
            // It may have got its other name meanwhile.
            assert!(["/a/b", "/evil/b"].iter().any(|path| found.path == Path::new(path)), "{}", found.path.display());
            arena.assert_inside(found.fd.as_fd());
            true
        }
        Err(_) => false,
    });
}

#[test]
fn a_root_is_not_left_by_moving_what_is_above() {
    // `..` while the directory above it is moved in and out: the kernel is asked again until it can tell.
    let arena = Arena::new(|_| PathBuf::from("../outside"));
    let mut count = 0;
    arena.race(|inside| {
        count += 1;
        let root = InRoot::new(inside, Path::new("/inside"));
        let made = root.make_directory(&PathBuf::from(format!("/a/b/../b/c{}", count % 500)), owner());
        made.map(|found| arena.assert_inside(found.fd.as_fd())).is_ok()
    });
}
