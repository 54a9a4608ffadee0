//! Making a cgroup, with what has to be true above it.
#![forbid(unsafe_code)]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, fchown};

use super::{Cgroup, Hierarchy};
use crate::error::{Error, Result};
use crate::step::step;

/// What belongs to whom a v2 cgroup is delegated to (kernel document cgroup-v2, "Model of Delegation"): with these it can be
/// divided, but its own limits cannot be changed.
const DELEGATED: [&str; 3] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];

/// v1 controllers whose settings do not hold for what is below: a cgroup below has a class or priority of its own, whichever its
/// maker likes, and is throttled on its own only. So their cgroups are not for the user to divide.
const NOT_INHERITED: [&str; 3] = ["blkio", "net_cls", "net_prio"];

/// How often cgroups are made again when somebody (systemd) removes them, as they are empty, just then.
const TRIES: u32 = 100;

/// For what makes cgroups and then uses them: does it again when they are gone meanwhile. What is in use stays.
///
/// # Errors
/// Those of `make`.
pub fn while_gone<T>(mut make: impl FnMut() -> Result<T>) -> Result<T> {
    let mut tries = TRIES;
    loop {
        match make() {
            Err(e) if is_gone(&e) && tries > 0 => tries -= 1,
            done => return done,
        }
    }
}

/// Makes the cgroup `name` below `root` (a relative path, made where it is missing) in a hierarchy, with the hierarchy's
/// controllers enabled, and gives it to `owner`, who may then make cgroups below it: where that is no way out of its limits.
///
/// # Errors
/// AlreadyExists when it is there: whose it is cannot be known. Else the kernel's.
pub fn make(hierarchy: &Hierarchy, root: &Path, name: &str, owner: Option<(Uid, Gid)>) -> Result<Cgroup> {
    let path = hierarchy.mount_point.join(root).join(name);
    while_gone(|| match make_one(hierarchy, root, &path) {
        Err(e) if is_gone(&e) => make_above(hierarchy, root).and_then(|()| make_one(hierarchy, root, &path)),
        made => made,
    })?;
    let cgroup = prepare(hierarchy, path.clone()).and_then(|cgroup| {
        if let Some((uid, gid)) = owner.filter(|_| !NOT_INHERITED.iter().any(|c| hierarchy.is_v1_of(c))) {
            step("give cgroup", || give(hierarchy, &cgroup, uid, gid))?;
        }
        Ok(cgroup)
    });
    if cgroup.is_err() {
        // As if it had never been made; if that fails too, the first reason is the better one.
        let _ = fs::remove_dir(path);
    }
    cgroup
}

/// Whether the cgroup was not there, or was removed while it was open.
fn is_gone(error: &Error) -> bool {
    error.is_not_found() || error.io().is_some_and(|e| e.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32))
}

fn make_one(hierarchy: &Hierarchy, root: &Path, path: &Path) -> Result<()> {
    if hierarchy.unified {
        enable(hierarchy, root)?;
    }
    step("make cgroup directory", || fs::create_dir(path)).map_err(Error::path("make the cgroup", path))
}

fn give(hierarchy: &Hierarchy, cgroup: &Cgroup, uid: Uid, gid: Gid) -> Result<()> {
    let failed = |e: nix::Error| Error::path("give to the container's user the cgroup", cgroup.path())(e.into());
    fchown(cgroup, Some(uid), Some(gid)).map_err(failed)?;
    if hierarchy.unified {
        for file in DELEGATED.into_iter().filter(|file| cgroup.has(file)) {
            fchown(cgroup.file(file, nix::fcntl::OFlag::O_RDONLY)?, Some(uid), Some(gid)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Makes `root` below the mount point, level by level. Another launch may be doing the same.
fn make_above(hierarchy: &Hierarchy, root: &Path) -> Result<()> {
    for path in levels(&hierarchy.mount_point, root).into_iter().skip(1) {
        match step("make cgroup above", || fs::create_dir(&path)) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::path("make the cgroup", path)(e)),
            _ => {}
        }
        prepare(hierarchy, path)?;
    }
    Ok(())
}

/// The mount point, and each level of `root` below it.
fn levels(mount_point: &Path, root: &Path) -> Vec<PathBuf> {
    let mut path = mount_point.to_path_buf();
    let mut levels = vec![path.clone()];
    for component in root.components() {
        path.push(component);
        levels.push(path.clone());
    }
    levels
}

/// A v1 cpuset takes no process before it was told its processors and memory nodes. And before Linux 5.11 a cgroup counted the
/// memory of those below it only if asked to before there were any; that those above it do says nothing where somebody else
/// made them.
fn prepare(hierarchy: &Hierarchy, path: PathBuf) -> Result<Cgroup> {
    let cgroup = Cgroup::open(path)?;
    if hierarchy.is_v1_of("cpuset")
        && let Some(above) = cgroup.path().parent()
    {
        let above = Cgroup::open(above)?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if cgroup.read(file)?.trim().is_empty() {
                cgroup.write(file, above.read(file)?.trim())?;
            }
        }
    }
    if hierarchy.is_v1_of("memory") && cgroup.number("memory.use_hierarchy").is_ok_and(|on| on == 0) {
        cgroup.write("memory.use_hierarchy", "1")?;
    }
    Ok(cgroup)
}

/// Enables the controllers from the top down to `root`, for the cgroups below it.
fn enable(hierarchy: &Hierarchy, root: &Path) -> Result<()> {
    let lacks = |cgroup: &Cgroup| -> Result<Vec<String>> {
        let enabled = cgroup.read("cgroup.subtree_control")?;
        let missing = hierarchy.controllers.iter().filter(|c| !enabled.split_ascii_whitespace().any(|e| e == *c));
        Ok(missing.map(|c| format!("+{c}")).collect())
    };
    if hierarchy.controllers.is_empty() {
        return Ok(());
    }
    // The usual case: all is as the last launch left it.
    if let Ok(bottom) = Cgroup::open(hierarchy.mount_point.join(root))
        && lacks(&bottom)?.is_empty()
    {
        return Ok(());
    }
    make_above(hierarchy, root)?;
    for path in levels(&hierarchy.mount_point, root) {
        let cgroup = Cgroup::open(path)?;
        let missing = lacks(&cgroup)?;
        if !missing.is_empty() {
            cgroup.write("cgroup.subtree_control", &missing.join(" ")).map_err(|e| busy(e, &cgroup))?;
        }
    }
    Ok(())
}

/// The kernel enables no controllers in a cgroup that has processes itself, but for the topmost one.
fn busy(error: Error, cgroup: &Cgroup) -> Error {
    if error.io().is_some_and(|e| e.kind() == ErrorKind::ResourceBusy) {
        return Error::Refused(format!(
            "{error}: there are processes in {} itself (pids {:?}), so v2 cannot divide it; move them to a cgroup below it",
            cgroup.path().display(),
            cgroup.procs().unwrap_or_default()
        ));
    }
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hierarchy(dir: &tempfile::TempDir, unified: bool, controllers: &[&str]) -> Hierarchy {
        Hierarchy {
            mount_point: dir.path().to_path_buf(),
            unified,
            controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_missing_above_is_made_and_what_exists_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let hierarchy = hierarchy(&dir, false, &["pids"]);
        let cgroup = make(&hierarchy, Path::new("a/b"), "c1", None).unwrap();
        assert_eq!(cgroup.path(), dir.path().join("a/b/c1"));
        let error = make(&hierarchy, Path::new("a/b"), "c1", None).unwrap_err();
        assert_eq!(error.io().unwrap().kind(), ErrorKind::AlreadyExists);
        fs::remove_dir_all(dir.path().join("a")).unwrap();
        make(&hierarchy, Path::new("a/b"), "c1", None).unwrap();
    }

    #[test]
    fn below_an_older_root_memory_is_counted_with_what_is_below() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("memory.use_hierarchy"), "0").unwrap();
        prepare(&hierarchy(&dir, false, &["memory"]), path.clone()).unwrap();
        assert_eq!(fs::read_to_string(path.join("memory.use_hierarchy")).unwrap(), "1");
    }

    #[test]
    fn what_would_be_a_way_out_of_a_limit_is_not_given_away() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let owner = Some((Uid::from_raw(65534), Gid::from_raw(65534)));
        for (number, (controllers, uid)) in
            [(&["blkio"][..], 0), (&["net_cls", "net_prio"], 0), (&["cpu", "cpuacct"], 65534)].into_iter().enumerate()
        {
            let cgroup =
                make(&hierarchy(&dir, false, controllers), Path::new("m"), &number.to_string(), owner).unwrap();
            assert_eq!(fs::metadata(cgroup.path()).unwrap().uid(), uid, "{controllers:?}");
        }
    }

    #[test]
    fn v2_controllers_that_are_missing_are_enabled_on_each_level() {
        let dir = tempfile::tempdir().unwrap();
        for (path, enabled) in [("", "cpu memory"), ("m", "cpu")] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
            fs::write(dir.path().join(path).join("cgroup.subtree_control"), enabled).unwrap();
        }
        let control = |path: &str| fs::read_to_string(dir.path().join(path).join("cgroup.subtree_control")).unwrap();
        make(&hierarchy(&dir, true, &["cpu"]), Path::new("m"), "c1", None).unwrap();
        assert_eq!(control("m"), "cpu");
        make(&hierarchy(&dir, true, &["cpu", "memory", "pids"]), Path::new("m"), "c2", None).unwrap();
        assert!(control("").starts_with("+pids") && control("m").starts_with("+memory +pids"));
    }
}
