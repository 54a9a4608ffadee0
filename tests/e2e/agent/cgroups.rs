//! The machine's cgroup hierarchies as the tests see them: read from mountinfo by code of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::processes;

/// The controllers of v1 hierarchies; v2 has none here.
pub fn mounts() -> Vec<(PathBuf, Option<Vec<String>>)> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut mounts: Vec<(PathBuf, Option<Vec<String>>)> = Vec::new();
    for line in text.lines() {
        let (mount, system) = line.split_once(" - ").unwrap();
        let mut system = system.split(' ');
        let (kind, options) = (system.next().unwrap(), system.nth(1).unwrap());
        let point = PathBuf::from(mount.split(' ').nth(4).unwrap().replace("\\040", " "));
        match kind {
            "cgroup" => mounts.push((point, Some(options.split(',').map(str::to_owned).collect()))),
            "cgroup2" => mounts.push((point, None)),
            _ => {}
        }
    }
    mounts
}

/// Whether there is a v1 hierarchy of the controller.
pub fn is_v1(controller: &str) -> bool {
    mounts().iter().any(|(_, v1)| v1.as_ref().is_some_and(|options| options.iter().any(|o| o == controller)))
}

/// Where v2 is mounted.
pub fn unified() -> Option<PathBuf> {
    mounts().into_iter().find_map(|(point, v1)| v1.is_none().then_some(point))
}

/// Where the hierarchy of a controller, named as in v1, is mounted: v1's, else v2's.
#[track_caller]
pub fn mount_point(controller: &str) -> PathBuf {
    let has = |options: &Vec<String>| options.iter().any(|o| o == controller);
    let v1 = mounts().into_iter().find_map(|(point, v1)| v1.as_ref().is_some_and(has).then_some(point));
    v1.or_else(unified).expect("no cgroup hierarchy")
}

/// The cgroup of a process in the hierarchy of a controller (v1), or of the empty name (v2).
#[track_caller]
pub fn of_process(pid: i32, controller: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let found = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        controllers.split(',').any(|c| c == controller).then(|| path.to_owned())
    });
    found.unwrap_or_else(|| panic!("{controller:?} is not in {text}"))
}

/// All cgroups below `root` in any hierarchy, deepest first.
pub fn below_all(root: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    mounts().iter().for_each(|(point, _)| below(&point.join(root), &mut found));
    found
}

fn below(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            below(&entry.path(), found);
            found.push(entry.path());
        }
    }
}

/// Ends what is in the cgroups of `root` in all hierarchies and removes them, and `root` with them.
pub fn remove_all(root: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let mut all = below_all(root);
        all.extend(mounts().into_iter().map(|(point, _)| point.join(root)).filter(|path| path.is_dir()));
        if all.is_empty() || Instant::now() > end {
            break;
        }
        for path in all {
            let _ = fs::write(path.join("freezer.state"), "THAWED");
            let _ = fs::write(path.join("memory.oom_control"), "0");
            for pid in fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default().lines() {
                processes::signal(pid.parse().unwrap(), Signal::SIGKILL);
            }
            let _ = fs::remove_dir(&path);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let above = Path::new(root).parent().unwrap();
    mounts().iter().for_each(|(point, _)| drop(fs::remove_dir(point.join(above))));
}

/// The cgroups of a unit in the hierarchies that systemd tracks, removed with what is in them when dropped.
pub struct Unit {
    path: String,
    slice: String,
}

impl Unit {
    /// At `path` below the mount points; `slice` is where supervisors are expected to go in v1.
    pub fn new(path: &str, slice: &str) -> Unit {
        let unit = Unit { path: path.to_owned(), slice: slice.to_owned() };
        unit.places().iter().for_each(|place| fs::create_dir_all(place).unwrap());
        unit
    }

    fn tracked() -> Vec<PathBuf> {
        let named =
            mounts().into_iter().find(|(_, v1)| v1.as_ref().is_some_and(|o| o.iter().any(|o| o == "name=systemd")));
        named.map(|(point, _)| point).into_iter().chain(unified()).collect()
    }

    fn places(&self) -> Vec<PathBuf> {
        Unit::tracked().iter().map(|point| point.join(&self.path)).collect()
    }

    /// What a shell does to get into it.
    pub fn enter(&self) -> String {
        self.places().iter().map(|place| format!("echo $$ > {}/cgroup.procs || exit 98; ", place.display())).collect()
    }

    /// All that is in the unit, in any of the hierarchies: what a restart of it would end.
    pub fn pids(&self) -> Vec<i32> {
        let read = |place: &PathBuf| fs::read_to_string(place.join("cgroup.procs")).unwrap();
        self.places()
            .iter()
            .flat_map(|place| read(place).lines().map(|l| l.parse().unwrap()).collect::<Vec<_>>())
            .collect()
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        remove_all(&self.path);
        Unit::tracked().iter().for_each(|point| drop(fs::remove_dir(point.join(&self.slice))));
    }
}
