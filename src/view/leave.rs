//! Back from the agent's view of the host to the host's own.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::ONLINE;

/// Why this process still has the agent's view.
#[derive(Debug, PartialEq, Eq)]
pub struct Stayed(String);

/// Takes this process to pid 1's mount namespace if it is in another one, and with `starts`, if it may start processes, to
/// its cgroup namespace. Its working directory is / then.
///
/// Where it may not go, whoever starts processes takes away what lies over the list of processors, in a copy of the agent's
/// namespace. It stays where it may not do that either, and where its root directory is not pid 1's: an agent in an image of its own has its work
/// directory there, and the host has other files.
///
/// # Errors
/// Why it stayed. What is started then has the agent's view too, which need not matter: see [`Stayed::warning`].
pub fn leave(starts: bool) -> Result<(), Stayed> {
    let left = look(Path::new("/proc"), Path::new("/")).and_then(|found| match found {
        None => Ok(()),
        Some(namespace) => {
            setns(namespace, CloneFlags::CLONE_NEWNS).map_err(|e| Stayed(format!("entering pid 1's: {}", e.desc())))
        }
    });
    if starts {
        leave_cgroup_namespace(Path::new("/proc"));
    }
    match left {
        Err(_) if starts && is_covered() && uncover().is_ok() => Ok(()),
        left => left,
    }
}

/// More layers than anybody puts over a file.
const LAYERS: usize = 16;

/// Where pid 1's namespace is out of reach: takes the file away that lies over [`ONLINE`], in a copy of the agent's namespace.
fn uncover() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    // Nothing of it may be seen in the agent's own.
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)?;
    for _ in 0..LAYERS {
        if !is_covered() {
            return Ok(());
        }
        umount2(ONLINE, MntFlags::MNT_DETACH)?;
    }
    Err(nix::Error::EBUSY)
}

/// Whether another file lies over [`ONLINE`].
fn is_covered() -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let file = Path::new(ONLINE);
    covered(device(file), file.parent().and_then(device))
}

/// An agent may be in a cgroup namespace of its own. In there its unit's cgroup is shown as the root, so that nobody would see
/// that there is something to leave, and the kernel does not let processes out of it to where containers are.
///
/// Who may not leave it stays: a process may well be where pid 1 is, by another name.
fn leave_cgroup_namespace(proc: &Path) {
    let hosts = proc.join("1/ns/cgroup");
    if let Ok(found) = identity(&hosts)
        && identity(&proc.join("self/ns/cgroup")).is_ok_and(|own| own != found)
        && let Ok(namespace) = File::open(hosts)
    {
        let _ = setns(namespace, CloneFlags::CLONE_NEWCGROUP);
    }
}

/// Pid 1's namespace, if it is another.
fn look(proc: &Path, root: &Path) -> Result<Option<File>, Stayed> {
    let stayed = |e: io::Error| Stayed(format!("looking at pid 1's: {e}"));
    let hosts = proc.join("1/ns/mnt");
    // Pid 1's first: the kernel makes the entries of a new process when they are first asked for, which takes longer.
    let found = match identity(&hosts) {
        // Without /proc there is nothing to go by; the verb will say so.
        Err(_) if !proc.exists() => return Ok(None),
        found => found.map_err(stayed)?,
    };
    if identity(&proc.join("self/ns/mnt")).map_err(stayed)? == found {
        return Ok(None);
    }
    if identity(&proc.join("1/root")).map_err(stayed)? != identity(root).map_err(stayed)? {
        return Err(Stayed("its root directory is not pid 1's".into()));
    }
    File::open(hosts).map(Some).map_err(stayed)
}

/// Device and inode, by which namespaces are told apart as files are.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

impl Stayed {
    /// A line for the operator if containers will see another number of processors than the host's. Where the agent's view
    /// has the host's file there is nothing to be said.
    pub fn warning(&self) -> Option<String> {
        is_covered().then(|| {
            format!(
                "the agent's mount namespace could not be left ({}): the container sees the file that lies over {ONLINE} \
                 there, and takes it for the number of processors",
                self.0
            )
        })
    }
}

/// A file of another file system than its directory's was bound over it.
fn covered(file: Option<u64>, directory: Option<u64>) -> bool {
    file.is_some() && directory.is_some() && file != directory
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A /proc with these two namespaces, and pid 1's root directory.
    fn proc(own: &str, hosts: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a", "b", "self/ns", "1/ns"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for (process, namespace) in [("self", own), ("1", hosts)] {
            std::os::unix::fs::symlink(dir.path().join(namespace), dir.path().join(process).join("ns/mnt")).unwrap();
        }
        std::os::unix::fs::symlink("/", dir.path().join("1/root")).unwrap();
        dir
    }

    #[test]
    fn the_same_namespace_is_not_left() {
        assert!(look(proc("a", "a").path(), Path::new("/")).unwrap().is_none());
    }

    #[test]
    fn another_one_is_pid_1s_and_not_our_own() {
        let proc = proc("a", "b");
        let found = look(proc.path(), Path::new("/")).unwrap().unwrap();
        assert_eq!(found.metadata().unwrap().ino(), fs::metadata(proc.path().join("b")).unwrap().ino());
    }

    #[test]
    fn an_agent_with_a_root_of_its_own_stays() {
        let stayed = look(proc("a", "b").path(), Path::new("/proc")).unwrap_err();
        assert_eq!(stayed, Stayed("its root directory is not pid 1's".into()));
    }

    #[test]
    fn what_cannot_be_looked_at() {
        let stayed = look(proc("a", "gone").path(), Path::new("/")).unwrap_err();
        assert!(stayed.0.starts_with("looking at pid 1's: No such file"), "{stayed:?}");
        assert!(look(Path::new("/nonexistent"), Path::new("/")).unwrap().is_none());
    }

    #[test]
    fn only_a_covered_file_is_worth_a_word() {
        assert!(covered(Some(2), Some(1)));
        for (file, directory) in [(Some(1), Some(1)), (None, Some(1)), (None, None)] {
            assert!(!covered(file, directory));
        }
    }
}
