//! The layer that a container has over its root directory: a file system in memory, mounted nowhere until the container has
//! it.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{Gid, Uid};

use crate::error::{Error, Result};
use crate::isolator::mount::{BENEATH, Configured, openat2};
use crate::paths::{Beneath, Found, InRoot, Owner};

/// What the overlay takes changes from, and what it works in.
const UPPER: &str = "upper";
const WORK: &str = "work";

/// See the module.
#[derive(Debug)]
pub struct Layer {
    tree: OwnedFd,
}

impl Layer {
    /// Whether this kernel can put it over a directory.
    ///
    /// # Errors
    /// Why not.
    pub fn probe() -> Result<()> {
        match Configured::new(c"overlay") {
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Err(Error::Refused(
                "--default_rootfs needs overlayfs, which this kernel does not have (CONFIG_OVERLAY_FS, or its module overlay)"
                    .into(),
            )),
            made => made.map(drop).map_err(Error::system("make an overlay")),
        }
    }

    /// An empty one. Its size has no limit of its own: it is memory of the container's.
    ///
    /// # Errors
    /// Those of the mount calls.
    pub fn new() -> Result<Layer> {
        let failed = "make a file system in memory for what the container writes to its root directory";
        let tree = Configured::new(c"tmpfs")
            .and_then(|tmpfs| tmpfs.set(c"mode", c"0755"))
            .and_then(|tmpfs| tmpfs.set(c"size", c"100%"))
            .and_then(|tmpfs| tmpfs.make(0))
            .map_err(Error::system(failed))?;
        for name in [UPPER, WORK] {
            mkdirat(&tree, name, Mode::from_bits_truncate(0o755)).map_err(Error::system(failed))?;
        }
        Ok(Layer { tree })
    }

    /// Where a mount at `path` goes in `root` with this layer over it; what is missing there is made here.
    ///
    /// # Errors
    /// When something of the path is in the way.
    pub fn place(&self, root: &Found, path: &Path, directory: bool) -> Result<PathBuf> {
        let inside = InRoot::new(root.fd.as_fd(), &root.path);
        let mut missing = PathBuf::new();
        for there in path.ancestors() {
            match (inside.find(there)?, there.file_name()) {
                (Some(found), _) if missing.as_os_str().is_empty() => return kind(found, path, directory),
                (Some(found), _) => return self.make(&inside, &found.path, &missing, directory),
                (None, Some(name)) if missing.as_os_str().is_empty() => missing.push(name),
                (None, Some(name)) => missing = Path::new(name).join(missing),
                (None, None) => break,
            }
        }
        Err(Error::Refused(format!("{} is no path in the container's root directory", path.display())))
    }

    /// Makes what is missing below the directory `above`. The directories above it are made here, too, as they are in the root
    /// directory: overlayfs shows both as one, with the owner and the mode that this one has.
    fn make(&self, inside: &InRoot<'_>, above: &Path, missing: &Path, directory: bool) -> Result<PathBuf> {
        let upper = openat2(self.tree.as_fd(), c"upper", libc::O_PATH, 0, BENEATH)
            .map_err(Error::path("open the layer over", above))?;
        let shown = Path::new("the container's root directory");
        let beneath = Beneath::new(upper.as_fd(), shown);
        let mut so_far = PathBuf::new();
        for name in above.components().skip(1) {
            so_far.push(name);
            let there = inside.open(&Path::new("/").join(&so_far))?;
            let found = fstat(&there.fd).map_err(|e| Error::path("look at", &there.path)(e.into()))?;
            let owner = Owner {
                uid: Uid::from_raw(found.st_uid),
                gid: Gid::from_raw(found.st_gid),
                mode: found.st_mode & 0o7777,
            };
            beneath.make_directory(&so_far, owner)?;
        }
        let root = Owner { uid: Uid::from_raw(0), gid: Gid::from_raw(0), mode: if directory { 0o755 } else { 0o644 } };
        so_far.push(missing);
        if directory {
            beneath.make_directory(&so_far, root)?
        } else {
            beneath.make_file(&so_far, root)?
        };
        Ok(above.join(missing))
    }

    /// The file system itself.
    pub fn into_tree(self) -> OwnedFd {
        self.tree
    }
}

fn kind(found: Found, path: &Path, directory: bool) -> Result<PathBuf> {
    let mode = fstat(&found.fd).map_err(|e| Error::path("look at", path)(e.into()))?.st_mode;
    match (mode & libc::S_IFMT == libc::S_IFDIR, directory) {
        (true, false) => Err(Error::Refused(format!(
            "{} is a directory in the container's root directory, and a file cannot be mounted on it",
            path.display()
        ))),
        (false, true) => Err(Error::Refused(format!(
            "{} is a file in the container's root directory, and a directory cannot be mounted on it",
            path.display()
        ))),
        _ => Ok(found.path),
    }
}
