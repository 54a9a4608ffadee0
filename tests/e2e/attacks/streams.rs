//! The files of a container's output, replaced by links while it is launched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::prevented;
use crate::agent::{Agent, need_root, patient};

/// How often a launch is tried while the names are exchanged: about a hundred times what the attack takes to succeed without
/// the safeguard.
const TRIES: usize = 60;

/// Exchanges two names for as long as `during` takes.
fn exchanging<T>(one: &Path, other: &Path, during: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        let result = during();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// Whether a file of root's is written to. (That it is given away through a hard link is not the program's doing: the agent's
/// `chown -R` before each call does that.)
fn leads_elsewhere(agent: &Agent, name: &str, link: impl Fn(&Path, &Path)) -> bool {
    let target = agent.path("target");
    fs::write(&target, "root's").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    let end = Instant::now() + patient(Duration::from_secs(20));
    for _ in 0..TRIES {
        let task = agent.task("echo out; echo err >&2").user("nobody");
        let sandbox = task.sandbox();
        let (file, evil) = (sandbox.join(name), agent.path("evil"));
        fs::write(&file, "").unwrap();
        link(&target, &evil);
        let is_symlink = evil.is_symlink();
        let (container, output) = exchanging(&file, &evil, || task.try_launch());
        if output.status.success() {
            container.complete();
        }
        let _ = fs::remove_file(&evil);
        let given_away = is_symlink && fs::metadata(&target).unwrap().uid() != 0;
        if given_away || fs::read_to_string(&target).unwrap() != "root's" {
            return true;
        }
        if Instant::now() > end {
            break;
        }
    }
    false
}

#[test]
fn output_does_not_go_through_a_symbolic_link_that_comes_and_goes() {
    need_root!();
    for name in ["stdout", "stderr"] {
        prevented("links", |builder| {
            leads_elsewhere(&builder.build(), name, |target, at| symlink(target, at).unwrap())
        });
    }
}

#[test]
fn output_does_not_go_through_a_hard_link_that_comes_and_goes() {
    need_root!();
    prevented("links", |builder| {
        leads_elsewhere(&builder.build(), "stdout", |target, at| fs::hard_link(target, at).unwrap())
    });
}
