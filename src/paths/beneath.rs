//! Paths below a directory whose contents somebody else controls: no link is followed, wherever it leads.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::resolve::{below, failed, names, open};
use super::{Owner, make};
use crate::error::Result;

/// A directory, and its name for messages.
#[derive(Debug, Clone, Copy)]
pub struct Beneath<'a> {
    directory: BorrowedFd<'a>,
    shown: &'a Path,
}

/// What the last name of a path is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

impl<'a> Beneath<'a> {
    /// Below this open directory, which messages call `shown`.
    pub fn new(directory: BorrowedFd<'a>, shown: &'a Path) -> Self {
        Self { directory, shown }
    }

    /// Opens what is there by this path; a leading `/` counts for nothing.
    ///
    /// # Errors
    /// `..` in the path; a link, which is named; the kernel's others.
    pub fn open(&self, path: &Path) -> Result<OwnedFd> {
        let names = names(path)?;
        open(self.directory, &names.iter().collect::<PathBuf>(), below())
            .map_err(|errno| failed("open", self.directory, &names, self.shown, errno))
    }

    /// Opens the directory of this path; it and all missing ones above it are made, for this owner. Those that are there
    /// stay as they are.
    ///
    /// # Errors
    /// As [`Beneath::open`]; when something of the path is no directory, or cannot be made.
    pub fn make_directory(&self, path: &Path, owner: Owner) -> Result<OwnedFd> {
        self.make(&names(path)?, Kind::Directory, owner)
    }

    /// Opens what is there by this path, if it is no directory. Missing, it is made as an empty file, with all missing
    /// directories above it, for this owner; what may be read of those may be entered.
    ///
    /// # Errors
    /// As [`Beneath::make_directory`]; when there is a directory.
    pub fn make_file(&self, path: &Path, owner: Owner) -> Result<OwnedFd> {
        self.make(&names(path)?, Kind::File, owner)
    }

    pub(super) fn make(&self, names: &[&OsStr], last: Kind, owner: Owner) -> Result<OwnedFd> {
        let mut current: Option<OwnedFd> = None;
        for (index, name) in names.iter().enumerate() {
            let parent = current.as_ref().map_or(self.directory, |fd| fd.as_fd());
            let next = match last {
                Kind::File if index + 1 == names.len() => make::file(parent, name, owner),
                Kind::File => {
                    make::directory(parent, name, Owner { mode: owner.mode | (owner.mode & 0o444) >> 2, ..owner })
                }
                Kind::Directory => make::directory(parent, name, owner),
            };
            current = Some(next.map_err(|errno| {
                let operation = if last == Kind::File { "make the file" } else { "make the directory" };
                failed(operation, self.directory, &names[..=index], self.shown, errno)
            })?);
        }
        match current {
            Some(fd) => Ok(fd),
            None => self.open(Path::new(".")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::sys::stat::fstat;
    use nix::unistd::{getegid, geteuid};
    use std::fs::{self, File};
    use std::os::unix::fs::{MetadataExt, symlink};

    fn owner(mode: u32) -> Owner {
        Owner { uid: geteuid(), gid: getegid(), mode }
    }

    struct Place(tempfile::TempDir, File);

    impl Place {
        fn new() -> Place {
            let dir = tempfile::tempdir().unwrap();
            let file = File::open(dir.path()).unwrap();
            Place(dir, file)
        }

        fn beneath(&self) -> Beneath<'_> {
            Beneath::new(self.1.as_fd(), self.0.path())
        }
    }

    fn said<T>(result: Result<T>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn links_are_named_and_none_is_followed() {
        let place = Place::new();
        fs::create_dir_all(place.0.path().join("a/b")).unwrap();
        symlink("b", place.0.path().join("a/link")).unwrap();
        let beneath = place.beneath();
        let found = beneath.open(Path::new("./a//b/")).unwrap();
        assert_eq!(fstat(&found).unwrap().st_ino, fs::metadata(place.0.path().join("a/b")).unwrap().ino());
        for path in ["a/link", "a/link/x"] {
            let text = said(beneath.open(Path::new(path)));
            assert!(text.contains("a/link is a symbolic link (to b), and none is followed"), "{text}");
            let text = said(beneath.make_directory(Path::new(path), owner(0o755)));
            assert!(text.contains("a/link is a symbolic link (to b), and none is followed"), "{text}");
        }
        assert!(said(beneath.make_file(Path::new("a/link"), owner(0o644))).contains("a/link is a symbolic link"));
        assert!(beneath.open(Path::new("a/c")).unwrap_err().is_not_found());
    }

    #[test]
    fn what_names_nothing_below_is_refused() {
        let place = Place::new();
        for path in ["..", "a/../..", "/..", "", ".", "/", "./."] {
            let text = said(place.beneath().open(Path::new(path)));
            assert!(text.contains("\"..\" in it") || text.contains("names nothing"), "{path}: {text}");
            said(place.beneath().make_directory(Path::new(path), owner(0o755)));
        }
        assert!(said(place.beneath().open(Path::new("a\0b"))).contains("NUL"));
        assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
    }

    #[test]
    fn missing_directories_are_made_and_others_left_alone() {
        let place = Place::new();
        let path = |name: &str| place.0.path().join(name);
        let beneath = place.beneath();
        beneath.make_directory(Path::new("a/b"), owner(0o1777)).unwrap();
        beneath.make_directory(Path::new("a/b/c"), owner(0o2750)).unwrap();
        let mode = |name: &str| fs::metadata(path(name)).unwrap().mode() & 0o7777;
        assert_eq!([mode("a"), mode("a/b"), mode("a/b/c")], [0o1777, 0o1777, 0o2750]);
        beneath.make_file(Path::new("d/file"), owner(0o640)).unwrap();
        assert_eq!([mode("d"), mode("d/file")], [0o750, 0o640]);
        fs::write(path("d/file"), "kept").unwrap();
        beneath.make_file(Path::new("d/file"), owner(0o600)).unwrap();
        assert_eq!((fs::read_to_string(path("d/file")).unwrap().as_str(), mode("d/file")), ("kept", 0o640));
        let text = said(beneath.make_directory(Path::new("d/file/x"), owner(0o755)));
        assert!(text.starts_with("cannot make the directory") && text.contains("d/file: Not a directory"), "{text}");
        assert!(said(beneath.make_file(Path::new("a/b"), owner(0o644))).contains("Is a directory"));
    }

    #[test]
    fn the_owner_gets_all_that_was_made() {
        if !geteuid().is_root() {
            return;
        }
        let place = Place::new();
        let nobody = Owner { uid: 65534.into(), gid: 65534.into(), mode: 0o700 };
        place.beneath().make_directory(Path::new("a/b"), nobody).unwrap();
        for name in ["a", "a/b"] {
            let found = fs::metadata(place.0.path().join(name)).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (65534, 65534, 0o700));
        }
    }
}
