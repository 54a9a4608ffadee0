//! Paths inside a root file system that somebody else made: as a process would see them that has it as its root.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::ResolveFlag;

use super::beneath::{Beneath, Kind};
use super::resolve::{NO_LINKS, names, open, path_of, same};
use super::{Found, Owner};
use crate::error::{Error, Result};

/// How often a path is looked up anew that changed meanwhile.
const TRIES: usize = 16;

/// The root directory, and its name for messages.
#[derive(Debug, Clone, Copy)]
pub struct InRoot<'a> {
    root: BorrowedFd<'a>,
    shown: &'a Path,
}

impl<'a> InRoot<'a> {
    /// Inside of this open directory (which may be a mount that is nowhere), called `shown` in messages.
    pub fn new(root: BorrowedFd<'a>, shown: &'a Path) -> Self {
        Self { root, shown }
    }

    /// Opens what is there by this path. Absolute links begin at the root, and `..` does not lead out of it.
    ///
    /// # Errors
    /// The kernel's, with root and path.
    pub fn open(&self, path: &Path) -> Result<Found> {
        self.look(path).map_err(|errno| self.error("open", path, errno))?.ok_or_else(|| self.unsteady(path))
    }

    /// As [`InRoot::open`]; None where nothing is.
    ///
    /// # Errors
    /// The kernel's others.
    pub fn find(&self, path: &Path) -> Result<Option<Found>> {
        match self.look(path) {
            Err(Errno::ENOENT) => Ok(None),
            found => {
                found.map_err(|errno| self.error("open", path, errno))?.ok_or_else(|| self.unsteady(path)).map(Some)
            }
        }
    }

    /// Opens the directory of this path. What of it is missing is made, for this owner; what is there stays as it is, and
    /// links in it are followed as by [`InRoot::open`].
    ///
    /// # Errors
    /// As [`InRoot::open`]; `..` behind something missing; a link that leads to something missing; when something of the
    /// path is no directory.
    pub fn make_directory(&self, path: &Path, owner: Owner) -> Result<Found> {
        self.make(path, Kind::Directory, owner)
    }

    /// The same for a file that is mounted on: an empty one is made where nothing is.
    ///
    /// # Errors
    /// As [`InRoot::make_directory`]; when there is a directory.
    pub fn make_file(&self, path: &Path, owner: Owner) -> Result<Found> {
        self.make(path, Kind::File, owner)
    }

    fn make(&self, path: &Path, last: Kind, owner: Owner) -> Result<Found> {
        let mut missing = Vec::new();
        for there in path.ancestors() {
            let found = match self.look(there) {
                Ok(found) => found.ok_or_else(|| self.unsteady(path))?,
                Err(Errno::ENOENT) => {
                    missing.extend(there.components().next_back().map(|c| c.as_os_str()));
                    continue;
                }
                Err(errno) => return Err(self.error("open", there, errno)),
            };
            missing.reverse();
            let rest: PathBuf = missing.iter().collect();
            let shown = self.shown.join(found.path.strip_prefix("/").unwrap_or(&found.path));
            if missing.is_empty() {
                return is_kind(found, last).map_err(|errno| self.error("mount on", path, errno));
            }
            let made = Beneath::new(found.fd.as_fd(), &shown).make(&names(&rest)?, last, owner)?;
            return Ok(Found { fd: made, path: found.path.join(rest) });
        }
        Err(self.error("open", path, Errno::ENOENT))
    }

    /// None: it is never where it was a moment ago.
    fn look(&self, path: &Path) -> nix::Result<Option<Found>> {
        // "" would be no name for the kernel.
        let asked = if path.as_os_str().is_empty() { Path::new("/") } else { path };
        for _ in 0..TRIES {
            let how = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
            let fd = open(self.root, asked, how)?;
            let Ok(path) = self.inside(&fd) else { continue };
            // The kernel's word on where it is may be outdated, or about something that was deleted.
            match open(self.root, &path, ResolveFlag::RESOLVE_IN_ROOT | NO_LINKS) {
                Ok(again) if same(again.as_fd(), fd.as_fd())? => return Ok(Some(Found { fd: again, path })),
                Ok(_) | Err(Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    fn inside(&self, fd: &OwnedFd) -> Result<PathBuf> {
        let (root, path) = (path_of(self.root)?, path_of(fd.as_fd())?);
        let inside = path.strip_prefix(&root).map_err(|_| self.unsteady(&path))?;
        Ok(Path::new("/").join(inside))
    }

    fn error(&self, operation: &'static str, path: &Path, errno: Errno) -> Error {
        Error::path(operation, self.shown.join(path.strip_prefix("/").unwrap_or(path)))(errno.into())
    }

    fn unsteady(&self, path: &Path) -> Error {
        Error::Refused(format!(
            "{} in the root file system {} keeps changing: somebody moves it about",
            path.display(),
            self.shown.display()
        ))
    }
}

fn is_kind(found: Found, wanted: Kind) -> nix::Result<Found> {
    let is_directory = super::resolve::kind(&nix::sys::stat::fstat(&found.fd)?) == nix::sys::stat::SFlag::S_IFDIR;
    match (is_directory, wanted) {
        (true, Kind::File) => Err(Errno::EISDIR),
        (false, Kind::Directory) => Err(Errno::ENOTDIR),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::unistd::{getegid, geteuid};
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    fn owner() -> Owner {
        Owner { uid: geteuid(), gid: getegid(), mode: 0o755 }
    }

    struct Place(tempfile::TempDir, File);

    /// A root with `etc/file`, `dir` and links that lead out of it for who does not have it as root.
    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("etc")).unwrap();
        fs::create_dir_all(path("dir/below")).unwrap();
        fs::write(path("etc/file"), "").unwrap();
        symlink("/etc", path("absolute")).unwrap();
        symlink("../../../../../etc", path("dir/up")).unwrap();
        symlink("/nowhere", path("dangling")).unwrap();
        let root = File::open(dir.path()).unwrap();
        Place(dir, root)
    }

    #[test]
    fn links_and_dots_stay_inside() {
        let Place(dir, root) = place();
        let inside = InRoot::new(root.as_fd(), dir.path());
        for path in
            ["/etc/file", "etc/file", "/absolute/file", "/dir/up/file", "/../../etc/file", "/dir/below/../up/file"]
        {
            let found = inside.open(Path::new(path)).unwrap();
            assert_eq!(found.path, Path::new("/etc/file"), "{path}");
            assert!(same(found.fd.as_fd(), File::open(dir.path().join("etc/file")).unwrap().as_fd()).unwrap());
        }
        for path in ["/", "", "/.."] {
            assert_eq!(inside.open(Path::new(path)).unwrap().path, Path::new("/"));
        }
        for path in ["/usr", "/absolute/passwd", "/dangling"] {
            let text = inside.open(Path::new(path)).unwrap_err().to_string();
            assert!(text.contains(path) && text.contains("No such file"), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_made_inside() {
        let Place(dir, root) = place();
        let inside = InRoot::new(root.as_fd(), dir.path());
        let made = |path: &str| inside.make_directory(Path::new(path), owner()).unwrap().path;
        assert_eq!(made("/absolute/new/one"), Path::new("/etc/new/one"));
        assert_eq!(made("/dir/up/new/one"), Path::new("/etc/new/one"));
        assert!(dir.path().join("etc/new/one").is_dir());
        let file = inside.make_file(Path::new("/dir/a/b/file"), owner()).unwrap();
        assert_eq!(file.path, Path::new("/dir/a/b/file"));
        assert!(dir.path().join("dir/a/b/file").is_file());
        let said = |path: &str| inside.make_directory(Path::new(path), owner()).unwrap_err().to_string();
        assert!(said("/dangling/x").contains("is a symbolic link (to /nowhere)"), "{}", said("/dangling/x"));
        assert!(said("/etc/file").contains("Not a directory"), "{}", said("/etc/file"));
        assert!(said("/etc/file/x").contains("Not a directory"));
        assert!(said("/missing/../x").contains("\"..\" in it"), "{}", said("/missing/../x"));
        assert!(!Path::new("/nowhere").exists() && !dir.path().join("missing").exists());
        assert!(inside.make_file(Path::new("/etc"), owner()).unwrap_err().to_string().contains("Is a directory"));
    }

    #[test]
    fn names_that_look_deleted() {
        let Place(dir, root) = place();
        fs::create_dir(dir.path().join("x (deleted)")).unwrap();
        let found = InRoot::new(root.as_fd(), dir.path()).open(Path::new("/x (deleted)")).unwrap();
        assert_eq!(found.path, Path::new("/x (deleted)"));
    }
}
