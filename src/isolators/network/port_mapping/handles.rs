//! Where operators find a container's network: `ip netns exec PID` as with the built-in isolator, and by the container's id.
//!
//! Both are symbolic links, not mounts: one that a crash leaves leads nowhere and keeps no network alive.
#![forbid(unsafe_code)]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::step::step;

/// Where iproute2 has the names of network namespaces (ip-netns(8)).
const BY_PID: &str = "netns";
/// Where the built-in isolator has its links by container id.
const BY_ID: &str = "mesos/netns";

/// The links of one container below `root`, which is /run.
#[derive(Debug)]
pub(super) struct Handles {
    namespace: PathBuf,
    by_pid: PathBuf,
    by_id: PathBuf,
}

impl Handles {
    /// Of the container with this first process.
    pub(super) fn of(container: &str, pid: u32) -> Handles {
        Handles::below(Path::new("/run"), container, pid)
    }

    fn below(root: &Path, container: &str, pid: u32) -> Handles {
        Handles {
            namespace: format!("/proc/{pid}/ns/net").into(),
            by_pid: root.join(BY_PID).join(pid.to_string()),
            by_id: root.join(BY_ID).join(container),
        }
    }

    fn links(&self) -> [(&Path, &Path); 2] {
        [(&self.by_pid, &self.namespace), (&self.by_id, &self.by_pid)]
    }

    /// Makes them. A link in their place is replaced: the process that it was for is gone.
    ///
    /// # Errors
    /// Something else is in their place; those of making.
    pub(super) fn make(&self) -> Result<()> {
        for (link, target) in self.links() {
            if let Some(parent) = link.parent() {
                fs::create_dir_all(parent).map_err(Error::path("make", parent))?;
            }
            if fs::read_link(link).is_ok() {
                delete(link)?;
            }
            step("network handle", || symlink(target, link)).map_err(Error::path("make the link", link))?;
        }
        Ok(())
    }

    /// Removes those that are this container's.
    ///
    /// # Errors
    /// Those of removing.
    pub(super) fn remove(&self) -> Result<()> {
        for (link, target) in self.links().into_iter().rev() {
            if fs::read_link(link).is_ok_and(|found| found == target) {
                delete(link)?;
            }
        }
        Ok(())
    }
}

fn delete(link: &Path) -> Result<()> {
    match step("network handle away", || fs::remove_file(link)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::path("remove", link)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn made_replaced_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::process::id();
        let handles = Handles::below(dir.path(), "c", own);
        handles.make().unwrap();
        let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).unwrap();
        for link in [&handles.by_pid, &handles.by_id] {
            assert_eq!(identity(link), identity(Path::new("/proc/self/ns/net")));
        }
        handles.make().unwrap();
        // The same container's next process; what the first one left is another's by then.
        let next = Handles::below(dir.path(), "c", own + 1);
        next.make().unwrap();
        handles.remove().unwrap();
        assert!(next.by_id.is_symlink() && next.by_pid.is_symlink() && !handles.by_pid.is_symlink());
        next.remove().unwrap();
        next.remove().unwrap();
        assert!(!next.by_id.is_symlink() && !next.by_pid.is_symlink());
    }

    #[test]
    fn what_is_no_link_of_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let handles = Handles::below(dir.path(), "c", 7);
        fs::create_dir_all(dir.path().join("netns")).unwrap();
        fs::write(&handles.by_pid, "").unwrap();
        let error = handles.make().unwrap_err().to_string();
        assert!(error.contains("netns/7") && error.contains("File exists"), "{error}");
        handles.remove().unwrap();
        assert!(handles.by_pid.is_file());
        fs::remove_file(&handles.by_pid).unwrap();
        symlink("/elsewhere", &handles.by_pid).unwrap();
        handles.remove().unwrap();
        assert!(handles.by_pid.is_symlink());
    }
}
