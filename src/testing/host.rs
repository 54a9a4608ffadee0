//! A host of one's own in a temporary directory.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::cgroup::{self, Hierarchies, MOUNTINFO};
use crate::container::{ContainerId, Scope};
use crate::error::{Error, Result};
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::state::{Checkpoint, Hierarchy, Process};

/// How long it is tried to remove cgroups, whose processes are gone.
const REMOVING: Duration = Duration::from_secs(5);

/// Roots for all that isolators look at: a fake /proc, trees of plain files in the place of cgroups, the state of containers and
/// their sandboxes, in a directory that nobody else has. All of it is removed when this is dropped, real cgroups of
/// [`Life::make_cgroups`](super::Life::make_cgroups) too.
#[derive(Debug)]
pub struct Host {
    path: PathBuf,
    cgroups_root: PathBuf,
    scope: Scope,
}

/// Of this process.
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Host {
    /// An empty one below the directory for temporary files.
    ///
    /// # Errors
    /// When a directory cannot be made.
    pub fn new() -> Result<Host> {
        let template = std::env::temp_dir().join("mesos-ecp-host-XXXXXX");
        let path = nix::unistd::mkdtemp(&template).map_err(|e| Error::path("make", &template)(e.into()))?;
        Host::fill(&path).inspect_err(|_| drop(fs::remove_dir_all(&path)))
    }

    fn fill(path: &Path) -> Result<Host> {
        // A container's user may pass through to its sandbox.
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).map_err(Error::path("open", path))?;
        for name in ["proc", "cgroups", "work", "work/sandboxes"] {
            let dir = path.join(name);
            fs::create_dir(&dir).map_err(Error::path("make", &dir))?;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Host {
            path: path.to_path_buf(),
            cgroups_root: PathBuf::from(format!("ecp-check-{}-{number}", std::process::id())),
            scope: Scope::open(&path.join("runtime"), &path.join("work"), "boot")?,
        })
    }

    /// The directory that all of it is in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What would be the agent's work_dir.
    pub fn work_dir(&self) -> PathBuf {
        self.path.join("work")
    }

    /// The fake /proc: the processes of [`Host::lay_process`].
    pub fn proc(&self) -> Proc {
        Proc::at(self.path.join("proc"))
    }

    /// Lays down a process in the fake /proc: `pid` with this parent, in a session of its own, that started that many clock ticks
    /// after boot. More files can be put into `proc/PID` below [`Host::path`].
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn lay_process(&self, pid: i32, parent: i32, start_time: u64) -> Result<Process> {
        let dir = self.path.join("proc").join(pid.to_string());
        let task = dir.join("task").join(pid.to_string());
        fs::create_dir_all(&task).map_err(Error::path("make", &task))?;
        // The fields of proc_pid_stat(5); those that are 0 here are figures, addresses and masks.
        let stat = format!(
            "{pid} (fake) S {parent} {pid} {pid} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start_time}{}\n",
            " 0".repeat(30)
        );
        for (file, text) in [(dir.join("stat"), &stat), (task.join("children"), &String::new())] {
            fs::write(&file, text).map_err(Error::path("write", &file))?;
        }
        let children = self.path.join(format!("proc/{parent}/task/{parent}/children"));
        if let Ok(known) = fs::read_to_string(&children) {
            fs::write(&children, format!("{known}{pid} ")).map_err(Error::path("write", &children))?;
        }
        Ok(Process { pid, start_time })
    }

    /// Cgroups for a container in a tree of plain files, which keep what is written to them: one co-mounted v1 hierarchy of these
    /// controllers, or v2. The control files, as (name, text), must be given, as the kernel makes them.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn lay_cgroups(
        &self,
        id: &ContainerId,
        unified: bool,
        controllers: &[&str],
        files: &[(&str, &str)],
    ) -> Result<Cgroups> {
        let mount_point = self.path.join("cgroups").join(if unified { "v2" } else { "v1" });
        let dir = mount_point.join("mesos").join(id.as_str());
        fs::create_dir_all(&dir).map_err(Error::path("make", &dir))?;
        for (name, text) in files {
            fs::write(dir.join(name), text).map_err(Error::path("write", dir.join(name)))?;
        }
        let hierarchy = Hierarchy {
            mount_point: mount_point.to_string_lossy().into_owned(),
            unified: Some(unified),
            controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
        };
        let checkpoint =
            Checkpoint { hierarchies: vec![hierarchy], cgroups_root: Some("mesos".into()), ..Checkpoint::default() };
        Ok(Cgroups::of_checkpoint(&checkpoint, id.as_str()))
    }

    /// Below which real cgroups are made, in every hierarchy.
    pub(super) fn cgroups_root(&self) -> &Path {
        &self.cgroups_root
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Makes the sandbox of a container, empty.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make_sandbox(&self, id: &ContainerId) -> Result<PathBuf> {
        let path = self.path.join("work/sandboxes").join(id.as_str());
        match fs::create_dir(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::path("make", &path)(e)),
            _ => Ok(path),
        }
    }

    /// Removes all that is there. May be called again.
    pub(super) fn remove(&self) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.path);
        if let Ok(hierarchies) = Hierarchies::read(Path::new(MOUNTINFO)) {
            for path in hierarchies.all().map(|h| h.mount_point.join(&self.cgroups_root)).filter(|path| path.exists()) {
                let _ = cgroup::remove(&path, Instant::now() + REMOVING);
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_laid_down_is_found_and_goes_with_the_host() {
        let host = Host::new().unwrap();
        let path = host.path().to_path_buf();
        let owner = host.lay_process(100, 1, 5).unwrap();
        let first = host.lay_process(101, 100, 7).unwrap();
        assert_eq!(host.proc().start_time(101), Some(first.start_time));
        let tree: Vec<i32> = host.proc().tree(owner.pid).iter().map(|s| s.pid).collect();
        assert_eq!(tree, [100, 101]);
        let id = ContainerId::new("c").unwrap();
        let cgroups = host.lay_cgroups(&id, false, &["memory"], &[("memory.limit_in_bytes", "9")]).unwrap();
        assert_eq!(cgroups.open("memory").unwrap().number("memory.limit_in_bytes").unwrap(), 9);
        drop(host);
        assert!(!path.exists());
    }
}
