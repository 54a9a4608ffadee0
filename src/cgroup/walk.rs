//! Going through a cgroup and all that was made below it.
//!
//! Whoever may make cgroups may make many, and one below the other until no path reaches the lowest. So one is open at a time,
//! and the way leads from directory to directory, never along a path.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};

use super::Cgroup;
use crate::error::Result;

/// Calls `visit` for the cgroup and for each below it, one before those below it, and `leave` with a cgroup and the name of
/// one right below it once all of that has been visited. One that vanishes meanwhile is not visited.
///
/// # Errors
/// What kept it from some of them (no descriptors left), after which the rest is left out.
pub fn walk(
    top: &Cgroup,
    mut visit: impl FnMut(&Cgroup) -> Result<()>,
    leave: impl FnMut(&Cgroup, &OsStr),
) -> Result<()> {
    walk_where(top, |cgroup| visit(cgroup).map(|()| true), leave)
}

/// The same, but what is below a cgroup is left out where `visit` says false.
///
/// # Errors
/// As [`walk`].
pub fn walk_where(
    top: &Cgroup,
    mut visit: impl FnMut(&Cgroup) -> Result<bool>,
    mut leave: impl FnMut(&Cgroup, &OsStr),
) -> Result<()> {
    let mut enter = |cgroup: &Cgroup| if visit(cgroup)? { cgroup.below() } else { Ok(Vec::new()) };
    // For each level: the name by which it was entered, and those still to be entered from it.
    let mut levels: Vec<(OsString, Vec<OsString>)> = vec![(OsString::new(), enter(top)?)];
    let mut deeper: Option<Cgroup> = None;
    while let Some((name, below)) = levels.last_mut() {
        let here = deeper.as_ref().unwrap_or(top);
        if let Some(next) = below.pop() {
            let child = match here.child(&next) {
                Err(e) if e.is_not_found() => continue,
                found => found?,
            };
            levels.push((next, enter(&child)?));
            deeper = Some(child);
            continue;
        }
        let name = std::mem::take(name);
        levels.pop();
        if levels.is_empty() {
            break;
        }
        deeper = if levels.len() == 1 { None } else { Some(here.above()?) };
        leave(deeper.as_ref().unwrap_or(top), &name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::path::Path;

    fn seen(top: &Path) -> (Vec<String>, Vec<String>) {
        let shown = |path: &Path| path.strip_prefix(top).unwrap().display().to_string();
        let (mut visited, mut left) = (Vec::new(), Vec::new());
        let visit = |cgroup: &Cgroup| {
            visited.push(shown(cgroup.path()));
            Ok(())
        };
        let leave = |above: &Cgroup, name: &OsStr| left.push(shown(&above.path().join(name)));
        walk(&Cgroup::open(top).unwrap(), visit, leave).unwrap();
        visited.sort();
        (visited, left)
    }

    #[test]
    fn all_are_visited_and_the_deepest_left_first() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/b/c", "a/d", "e"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("cgroup.procs"), "").unwrap();
        let (visited, left) = seen(dir.path());
        assert_eq!(visited, ["", "a", "a/b", "a/b/c", "a/d", "e"]);
        let at = |path: &str| left.iter().position(|l| l == path).unwrap();
        assert!(left.len() == 5 && at("a/b/c") < at("a/b") && at("a/b") < at("a") && at("a/d") < at("a"), "{left:?}");
    }

    #[test]
    fn neither_number_nor_depth_is_too_much() {
        const DEPTH: usize = 600;
        let dir = tempfile::tempdir().unwrap();
        for n in 0..1500 {
            fs::create_dir(dir.path().join(format!("wide{n}"))).unwrap();
        }
        let mut at = Cgroup::open(dir.path()).unwrap();
        for _ in 0..DEPTH {
            let name = OsStr::new("a-long-name");
            nix::sys::stat::mkdirat(&at, name, nix::sys::stat::Mode::S_IRWXU).unwrap();
            at = at.child(name).unwrap();
        }
        let top = Cgroup::open(dir.path()).unwrap();
        let (mut visited, mut failed) = (0, 0);
        let visit = |_: &Cgroup| {
            visited += 1;
            Ok(())
        };
        walk(&top, visit, |above, name| failed += usize::from(above.remove_child(name).is_err())).unwrap();
        assert_eq!((visited, failed), (1 + 1500 + DEPTH, 0));
        assert!(top.below().unwrap().is_empty());
    }
}
