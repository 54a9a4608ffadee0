//! Absolute paths of the host: links are followed where only root can change them.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::geteuid;

use super::Found;
use super::resolve::{NO_LINKS, kind, names, open, open_name, target};
use crate::error::{Error, Result};

/// As many as the kernel follows.
const MAX_LINKS: usize = 40;

/// How often a path is followed anew that changed on the way.
const TRIES: usize = 16;

/// Opens an absolute path of the host. A symbolic link is followed if the directory that holds it belongs to root (or to
/// whoever runs this) and nobody else may write to it: else somebody could make the path lead elsewhere than it says.
///
/// # Errors
/// A relative path; a link in a directory that others may write to, which is named; the kernel's, with the path.
pub fn trusted(path: &Path) -> Result<Found> {
    if !path.is_absolute() {
        return Err(Error::Refused(format!("{} is not an absolute path", path.display())));
    }
    let fail = |errno: Errno| Error::path("open", path)(errno.into());
    let plain = !path.components().any(|c| c == Component::ParentDir);
    if plain && path != Path::new("/") {
        let path = Path::new("/").join(names(path)?.iter().collect::<PathBuf>());
        match open(AT_FDCWD, &path, NO_LINKS) {
            Err(Errno::ELOOP) => {}
            done => return Ok(Found { fd: done.map_err(fail)?, path }),
        }
    }
    for _ in 0..TRIES {
        let canonical = follow(path)?;
        match open(AT_FDCWD, &canonical, NO_LINKS) {
            // There is a new link where there was none.
            Err(Errno::ELOOP) => {}
            done => return Ok(Found { fd: done.map_err(fail)?, path: canonical }),
        }
    }
    Err(Error::Refused(format!("{} keeps changing: somebody puts symbolic links into it", path.display())))
}

/// Where the path leads, name by name, each in the open directory that the one before was.
fn follow(path: &Path) -> Result<PathBuf> {
    let fail = |at: &Path| {
        let at = at.to_path_buf();
        move |errno: Errno| Error::path("open", at)(errno.into())
    };
    let root = open(AT_FDCWD, Path::new("/"), NO_LINKS).map_err(fail(Path::new("/")))?;
    let mut way: Vec<(OwnedFd, OsString)> = Vec::new();
    let mut left: VecDeque<OsString> = VecDeque::new();
    push(&mut left, path);
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            way.pop();
            continue;
        }
        let here = here(&way);
        let shown = here.join(&name);
        let directory = way.last().map_or(&root, |(fd, _)| fd);
        let next = open_name(directory.as_fd(), OsStr::new(&name)).map_err(fail(&shown))?;
        if kind(&fstat(&next).map_err(fail(&shown))?) != SFlag::S_IFLNK {
            way.push((next, name));
            continue;
        }
        let holder = fstat(directory).map_err(fail(&here))?;
        if (holder.st_uid != 0 && holder.st_uid != geteuid().as_raw()) || holder.st_mode & 0o022 != 0 {
            return Err(Error::Refused(format!(
                "cannot open {}: {} is a symbolic link that others than root may change, as they may write to {}; name \
                 the path that it leads to",
                path.display(),
                shown.display(),
                here.display()
            )));
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(fail(path)(Errno::ELOOP));
        }
        let to = target(&next).map_err(Error::path("read the symbolic link", &shown))?;
        if to.is_absolute() {
            way.clear();
        }
        push(&mut left, &to);
    }
    Ok(here(&way))
}

/// Puts the names of a path before those that are left.
fn push(left: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => left.push_front(name.to_owned()),
            Component::ParentDir => left.push_front("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

fn here(way: &[(OwnedFd, OsString)]) -> PathBuf {
    Path::new("/").join(way.iter().map(|(_, name)| name).collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::paths::resolve::same;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A directory of ours that nobody else may write to, by its canonical name.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/file"), "").unwrap();
        fs::set_permissions(path.join("a"), Permissions::from_mode(0o755)).unwrap();
        (dir, path)
    }

    #[track_caller]
    fn leads(path: &Path, to: &Path) {
        let found = trusted(path).unwrap();
        assert_eq!(found.path, to);
        assert!(same(found.fd.as_fd(), File::open(to).unwrap().as_fd()).unwrap());
    }

    #[test]
    fn paths_without_links() {
        let (_dir, place) = place();
        let dotted = place.to_str().unwrap().to_owned() + "/./a//b/../b/file";
        for path in [place.join("a/b/file"), dotted.into(), place.join("a/b/file/")] {
            leads(&path, &place.join("a/b/file"));
        }
        leads(Path::new("/"), Path::new("/"));
        leads(Path::new("/../.."), Path::new("/"));
        assert!(trusted(&place.join("a/c")).unwrap_err().is_not_found());
        assert!(trusted(Path::new("a")).unwrap_err().to_string().contains("not an absolute"));
        assert!(trusted(Path::new("/a\0b")).unwrap_err().to_string().contains("NUL"));
    }

    #[test]
    fn links_of_ours_are_followed() {
        let (_dir, place) = place();
        symlink("b", place.join("a/relative")).unwrap();
        symlink(place.join("a/relative/file"), place.join("a/absolute")).unwrap();
        symlink("../../a/./absolute", place.join("a/b/up")).unwrap();
        for path in ["a/relative/file", "a/absolute", "a/b/up", "a/relative/../relative/file"] {
            leads(&place.join(path), &place.join("a/b/file"));
        }
        symlink("loop", place.join("a/loop")).unwrap();
        let error = trusted(&place.join("a/loop")).unwrap_err();
        assert_eq!(error.io().and_then(|e| e.raw_os_error()), Some(libc::ELOOP));
        symlink("nothing", place.join("a/dangling")).unwrap();
        assert!(trusted(&place.join("a/dangling")).unwrap_err().is_not_found());
    }

    #[test]
    fn a_link_that_others_may_change_is_named() {
        let (_dir, place) = place();
        symlink("b", place.join("a/link")).unwrap();
        for mode in [0o777, 0o1777, 0o775] {
            fs::set_permissions(place.join("a"), Permissions::from_mode(mode)).unwrap();
            let error = trusted(&place.join("a/link/file")).unwrap_err().to_string();
            let says =
                format!("{} is a symbolic link that others than root may change", place.join("a/link").display());
            assert!(error.contains(&says), "{error}");
            // Without a link it is nobody's business.
            leads(&place.join("a/b/file"), &place.join("a/b/file"));
        }
        if geteuid().is_root() {
            fs::set_permissions(place.join("a"), Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::chown(place.join("a"), Some(65534), None).unwrap();
            assert!(trusted(&place.join("a/link")).unwrap_err().to_string().contains("may write to"));
        }
    }
}
