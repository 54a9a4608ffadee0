//! Mounting a v1 hierarchy that nobody has mounted, as the built-in containerizer does.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use super::MOUNTINFO;
use super::lock::lock;
use super::mountinfo::cgroup_mounts;
use crate::error::{Error, Result};
use crate::step::step;

/// What the kernel can, and how it is put together at the moment: cgroups(7).
const PROC_CGROUPS: &str = "/proc/cgroups";

/// What is known of the host and done to it.
struct Host<'a> {
    proc_cgroups: &'a Path,
    mountinfo: &'a Path,
    /// Mounts the v1 hierarchy of these controllers, commas between them, at a path.
    mount: &'a dyn Fn(&str, &Path) -> nix::Result<()>,
}

/// Mounts the v1 hierarchy of a controller that is in no hierarchy: at `<directory>/<controller>`. Says whether it is mounted
/// now, be it by another call at the same moment; not so are controllers that this kernel does not have (or has
/// disabled), and those that are mounted, but read-only.
///
/// A hierarchy that exists without being seen from here (another mount namespace has it) is mounted with all of its
/// controllers, by all of their names: the kernel gives a controller to one hierarchy only.
///
/// # Errors
/// What is in the way.
pub fn mount(controller: &str, directory: &Path) -> Result<bool> {
    let host = Host { proc_cgroups: Path::new(PROC_CGROUPS), mountinfo: Path::new(MOUNTINFO), mount: &mount_v1 };
    host.mount(controller, directory).map_err(|e| {
        Error::Refused(format!(
            "not available here because the controller {controller} is mounted nowhere, and it cannot be mounted: {e}; mount it, \
             or name another directory by --cgroups_hierarchy"
        ))
    })
}

fn mount_v1(controllers: &str, at: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    nix::mount::mount(Some("cgroup"), at, Some("cgroup"), flags, Some(controllers))
}

impl Host<'_> {
    fn mount(&self, controller: &str, directory: &Path) -> Result<bool> {
        let text = fs::read_to_string(self.proc_cgroups).map_err(Error::path("read", self.proc_cgroups))?;
        let Some(together) = hierarchy_of(&text, controller) else {
            return Ok(false);
        };
        fs::create_dir_all(directory).map_err(Error::path("make", directory))?;
        if statfs(directory).is_ok_and(|s| s.filesystem_type() == CGROUP2_SUPER_MAGIC) {
            return Err(Error::Refused(format!(
                "{} is in a v2 hierarchy, where a directory is a cgroup and no place for mounts",
                directory.display()
            )));
        }
        let locked = File::open(directory).map_err(Error::path("open", directory))?;
        lock(&locked, directory)?;
        // Another launch may have been faster.
        if let Some(writable) = self.is_mounted(controller)? {
            return Ok(writable);
        }
        let names = together.join(",");
        let at = directory.join(&names);
        let made = step("make mount point", || make_empty(&at))?;
        if let Err(e) = step("mount hierarchy", || (self.mount)(&names, &at)) {
            if made {
                // The first reason is the better one.
                let _ = fs::remove_dir(&at);
            }
            return Err(Error::path("mount a v1 hierarchy at", at)(e.into()));
        }
        Ok(true)
    }

    /// Whether it is mounted writable; None if it is not mounted.
    fn is_mounted(&self, controller: &str) -> Result<Option<bool>> {
        let text = fs::read(self.mountinfo).map_err(Error::path("find the cgroup hierarchies in", self.mountinfo))?;
        let mounts = cgroup_mounts(&text);
        let of_it = mounts.iter().filter(|m| m.controllers.iter().any(|c| c == controller));
        Ok(of_it.map(|m| !m.read_only).reduce(|a, b| a || b))
    }
}

/// The controller with those that it is in one v1 hierarchy with, wherever that is mounted; None if the kernel does not have
/// it or has it disabled.
pub(super) fn hierarchy_of<'a>(proc_cgroups: &'a str, controller: &str) -> Option<Vec<&'a str>> {
    // Name, number of the hierarchy (0: v2's, or none), number of cgroups, whether it is enabled.
    let rows: Vec<(&str, &str)> = proc_cgroups
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (name, hierarchy) = (fields.next()?, fields.next()?);
            (fields.nth(1)? == "1").then_some((name, hierarchy))
        })
        .collect();
    let (own, number) = *rows.iter().find(|(name, _)| *name == controller)?;
    if number == "0" {
        return Some(vec![own]);
    }
    Some(rows.iter().filter(|(_, n)| *n == number).map(|(name, _)| *name).collect())
}

/// Makes the directory, or sees that there is nothing in it that a mount would hide. Says whether it made it.
fn make_empty(at: &PathBuf) -> Result<bool> {
    match fs::create_dir(at) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            match fs::read_dir(at).map_err(Error::path("list", at))?.next() {
                None => Ok(false),
                Some(_) => {
                    Err(Error::path("mount a v1 hierarchy at", at)(io::Error::from(ErrorKind::DirectoryNotEmpty)))
                }
            }
        }
        Err(e) => Err(Error::path("make", at)(e)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::RefCell;

    const CGROUPS: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\nmemory\t0\t1\t0\n\
                           net_cls\t5\t1\t1\nperf_event\t0\t1\t1\nnet_prio\t5\t1\t1\nhugetlb\t0\t1\t1\n";

    /// Mounts on a fake host that has `mounts` in its mountinfo; gives the answer and what was mounted.
    fn on(
        dir: &Path,
        mounts: &str,
        controller: &str,
        answer: nix::Result<()>,
    ) -> (Result<bool>, Vec<(String, PathBuf)>) {
        fs::write(dir.join("cgroups"), CGROUPS).unwrap();
        fs::write(dir.join("mountinfo"), mounts).unwrap();
        let mounted = RefCell::new(Vec::new());
        let host = Host {
            proc_cgroups: &dir.join("cgroups"),
            mountinfo: &dir.join("mountinfo"),
            mount: &|names, at| {
                mounted.borrow_mut().push((names.to_owned(), at.to_path_buf()));
                answer
            },
        };
        let result = host.mount(controller, &dir.join("h"));
        (result, mounted.into_inner())
    }

    #[test]
    fn what_is_mounted_nowhere_is_mounted_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (result, mounted) = on(dir.path(), "", "perf_event", Ok(()));
        assert!(result.unwrap());
        assert_eq!(mounted, [("perf_event".to_owned(), dir.path().join("h/perf_event"))]);
        assert!(dir.path().join("h/perf_event").is_dir());
        assert_eq!(on(dir.path(), "", "net_prio", Ok(())).1[0].0, "net_cls,net_prio", "they are in one hierarchy");
    }

    #[test]
    fn what_is_there_unknown_or_disabled_is_not_mounted() {
        let dir = tempfile::tempdir().unwrap();
        for (mounts, controller, expected) in [
            ("9 1 0:9 / /a rw - cgroup x rw,hugetlb\n", "hugetlb", true),
            ("9 1 0:9 / /a ro - cgroup x rw,hugetlb\n", "hugetlb", false),
            ("", "memory", false),
            ("", "no_such", false),
        ] {
            let (result, mounted) = on(dir.path(), mounts, controller, Ok(()));
            assert_eq!(result.unwrap(), expected, "{controller}");
            assert!(mounted.is_empty(), "{controller}");
        }
    }

    #[test]
    fn a_failure_says_what_and_why_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let error = on(dir.path(), "", "hugetlb", Err(nix::Error::EBUSY)).0.unwrap_err().to_string();
        assert!(error.contains("h/hugetlb: Device or resource busy"), "{error}");
        assert!(!dir.path().join("h/hugetlb").exists());
        fs::create_dir_all(dir.path().join("h/hugetlb/full")).unwrap();
        let (result, mounted) = on(dir.path(), "", "hugetlb", Ok(()));
        assert!(result.unwrap_err().to_string().contains("not empty") && mounted.is_empty());
    }
}
