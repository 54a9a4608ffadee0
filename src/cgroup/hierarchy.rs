//! Which controller is where.
#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::mountinfo::{Mount, cgroup_mounts};
use crate::error::{Error, Result};

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where.
    pub mount_point: PathBuf,
    /// v2 and not v1.
    pub unified: bool,
    /// Of v1: all of its controllers, and `name=...`. Of v2: those that were asked for.
    pub controllers: Vec<String>,
}

impl Hierarchy {
    /// Whether this is the v1 hierarchy of the controller.
    pub fn is_v1_of(&self, controller: &str) -> bool {
        !self.unified && self.controllers.iter().any(|c| c == controller)
    }
}

/// What a v1 controller has become in v2 (kernel document cgroup-v2).
#[derive(Debug, PartialEq, Eq)]
enum InV2 {
    /// To be enabled by this name.
    Controller(&'static str),
    /// A part of every cgroup, never enabled.
    Core,
    /// It has no successor.
    Nothing,
}

fn in_v2(controller: &str) -> InV2 {
    match controller {
        "cpu" | "cpuacct" => InV2::Controller("cpu"),
        "cpuset" => InV2::Controller("cpuset"),
        "memory" => InV2::Controller("memory"),
        "blkio" => InV2::Controller("io"),
        "pids" => InV2::Controller("pids"),
        "hugetlb" => InV2::Controller("hugetlb"),
        // The last by BPF programs.
        "freezer" | "perf_event" | "devices" => InV2::Core,
        _ => InV2::Nothing,
    }
}

/// Enough for most hosts at once: the kernel says of none of its files how long they are, so that the standard library would
/// begin with a few bytes.
const USUAL: usize = 32 << 10;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(USUAL);
    File::open(path)?.read_to_end(&mut text)?;
    Ok(text)
}

/// The hierarchies that a process can see. Reading them is a look at one file, and v2's controllers at another.
#[derive(Debug)]
pub struct Hierarchies {
    v1: Vec<Hierarchy>,
    unified: Option<PathBuf>,
    in_unified: OnceCell<Vec<String>>,
}

impl Hierarchies {
    /// Those in a mountinfo file. Hierarchies that are mounted read-only do not count; of one that is mounted several times
    /// the mount that shows most counts.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(mountinfo: &Path) -> Result<Hierarchies> {
        let text = read(mountinfo).map_err(Error::path("find the cgroup hierarchies in", mountinfo))?;
        let mut v1: Vec<Mount> = Vec::new();
        let mut unified: Option<Mount> = None;
        for mount in cgroup_mounts(&text).into_iter().filter(|m| !m.read_only) {
            let same = match mount.unified {
                true => unified.as_mut(),
                false => v1.iter_mut().find(|m| m.controllers == mount.controllers),
            };
            match same {
                Some(known) if mount.root == Path::new("/") && known.root != Path::new("/") => *known = mount,
                Some(_) => {}
                None if mount.unified => unified = Some(mount),
                None => v1.push(mount),
            }
        }
        let v1 = v1.into_iter();
        Ok(Hierarchies {
            v1: v1.map(|m| Hierarchy { mount_point: m.point, unified: false, controllers: m.controllers }).collect(),
            unified: unified.map(|m| m.point),
            in_unified: OnceCell::new(),
        })
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Hierarchy> {
        self.v1.iter().cloned().chain(self.unified())
    }

    /// Where v2 is mounted.
    pub fn unified(&self) -> Option<Hierarchy> {
        let mount_point = self.unified.clone()?;
        Some(Hierarchy { mount_point, unified: true, controllers: Vec::new() })
    }

    /// The v1 hierarchy of a controller or `name=...`.
    pub fn v1(&self, controller: &str) -> Option<&Hierarchy> {
        self.v1.iter().find(|h| h.is_v1_of(controller))
    }

    /// The hierarchy of a controller, named as in v1: that of v1 where it is mounted, else v2's where it has the controller
    /// (whose name there is then the only one in `controllers`; none if it needs no enabling).
    ///
    /// # Errors
    /// Why it is not available.
    pub fn of(&self, controller: &str) -> Result<Hierarchy> {
        if let Some(found) = self.v1(controller) {
            return Ok(found.clone());
        }
        let missing = |why: String| {
            Err(Error::Refused(format!(
                "not available here because the controller {controller} is in no v1 hierarchy that is mounted writable{why}"
            )))
        };
        let Some(mut unified) = self.unified() else {
            return missing(", and there is no v2 hierarchy".into());
        };
        match in_v2(controller) {
            InV2::Core => Ok(unified),
            InV2::Controller(name) if self.in_unified(&unified.mount_point)?.iter().any(|c| c == name) => {
                unified.controllers.push(name.to_owned());
                Ok(unified)
            }
            InV2::Controller(name) => {
                let list = unified.mount_point.join("cgroup.controllers");
                missing(format!(", and {name} is not in {}", list.display()))
            }
            InV2::Nothing => missing(", and v2 does not have it".into()),
        }
    }

    fn in_unified(&self, mount_point: &Path) -> Result<&Vec<String>> {
        if let Some(known) = self.in_unified.get() {
            return Ok(known);
        }
        let path = mount_point.join("cgroup.controllers");
        let text = fs::read_to_string(&path).map_err(Error::path("read", &path))?;
        Ok(self.in_unified.get_or_init(|| text.split_ascii_whitespace().map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Mounts as (mount point, options of a v1 hierarchy or None for v2); `@` stands for a directory of the test.
    fn host(mounts: &[(&str, Option<&str>)], controllers: &str) -> (tempfile::TempDir, Hierarchies) {
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for (number, (point, options)) in mounts.iter().enumerate() {
            let point = point.replace('@', dir.path().to_str().unwrap());
            fs::create_dir_all(&point).unwrap();
            let (kind, options) = options.map_or(("cgroup2", "rw"), |o| ("cgroup", o));
            text += &format!("{number} 99 0:{number} / {point} rw - {kind} x {options}\n");
            if kind == "cgroup2" {
                fs::write(Path::new(&point).join("cgroup.controllers"), controllers).unwrap();
            }
        }
        let file = dir.path().join("mountinfo");
        fs::write(&file, text).unwrap();
        let hierarchies = Hierarchies::read(&file).unwrap();
        (dir, hierarchies)
    }

    #[test]
    fn v1_is_found_co_mounted_and_wherever_it_is() {
        let (dir, h) = host(&[("@/cgroup/c", Some("rw,cpu,cpuacct")), ("@/mem", Some("rw,memory"))], "");
        assert_eq!(h.of("cpu").unwrap().mount_point, dir.path().join("cgroup/c"));
        assert_eq!(h.of("cpu").unwrap(), h.of("cpuacct").unwrap());
        assert_eq!(h.of("memory").unwrap().mount_point, dir.path().join("mem"));
        let error = h.of("pids").unwrap_err().to_string();
        assert!(error.contains("pids") && error.contains("no v2"), "{error}");
    }

    #[test]
    fn on_a_mixed_host_v1_goes_before_v2() {
        let (dir, h) = host(&[("@/cpu", Some("rw,cpu")), ("@/unified", None)], "cpu memory hugetlb");
        assert_eq!(h.of("cpu").unwrap().mount_point, dir.path().join("cpu"));
        let memory = h.of("memory").unwrap();
        assert!(memory.unified && memory.controllers == ["memory"]);
        assert!(h.of("devices").unwrap().controllers.is_empty());
        assert!(h.of("pids").unwrap_err().to_string().contains("cgroup.controllers"));
        assert!(h.of("net_cls").unwrap_err().to_string().contains("v2 does not have it"));
    }

    #[test]
    fn pure_v2_has_the_successors() {
        let (_dir, h) = host(&[("@/c", None)], "cpuset cpu io memory hugetlb pids rdma misc");
        for (controller, successor) in [("cpuacct", "cpu"), ("blkio", "io"), ("pids", "pids")] {
            assert_eq!(h.of(controller).unwrap().controllers, [successor]);
        }
    }

    #[test]
    fn read_only_hierarchies_do_not_count() {
        let (_dir, h) = host(&[("@/cpu", Some("ro,cpu"))], "");
        assert!(h.of("cpu").unwrap_err().to_string().contains("writable"));
    }
}
