//! A root directory of the container's own: `--default_rootfs`, a directory of the host.
//!
//! Many containers may have the same one. What they write goes to a layer that each has for itself, in memory that counts
//! as its own, and ends with it; the directory itself is never changed, not even for mount points that it does not have.
#![forbid(unsafe_code)]

mod devices;
mod layer;
mod special;
#[cfg(test)]
mod tests;

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::sys::stat::fstat;
use nix::sys::statvfs::{FsFlags, fstatvfs};

use crate::error::{Error, Result};
use crate::isolator::mount::{NODEV, NOEXEC, NOSUID, Propagation, open_tree, set_attributes};
use crate::isolator::{Content, Mount, Preparation, Root, Source, Stage};
use crate::paths::{self, Found, InRoot};

pub use devices::can_be_covered;
pub use layer::Layer;

/// The root directory of a container that is being prepared.
#[derive(Debug)]
pub struct RootDirectory {
    found: Found,
    layer: Layer,
}

impl RootDirectory {
    /// Of `directory`, an absolute path of the host.
    ///
    /// # Errors
    /// Those of [`RootDirectory::check`], and of the mount calls.
    pub fn open(directory: &Path) -> Result<RootDirectory> {
        Ok(RootDirectory { found: RootDirectory::check(directory)?, layer: Layer::new()? })
    }

    /// Finds the directory.
    ///
    /// # Errors
    /// It is not there, or somebody else than root may change it, or put another in its place: whoever can put a
    /// set-user-id program or a device there would have it in every container. (The kernel finds it once more by its path,
    /// so all that is above it counts.)
    pub fn check(directory: &Path) -> Result<Found> {
        let found = paths::trusted(directory)?;
        let refuse = |why: &str| Err(Error::Refused(format!("--default_rootfs={}: {why}", directory.display())));
        let stat = fstat(&found.fd).map_err(|e| Error::path("look at", &found.path)(e.into()))?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFDIR {
            return refuse("it is not a directory");
        }
        if stat.st_uid != 0 || stat.st_mode & 0o022 != 0 {
            return refuse("it must belong to root, and nobody else may write to it (chown root, chmod go-w)");
        }
        for above in found.path.ancestors().skip(1) {
            let metadata = std::fs::symlink_metadata(above).map_err(Error::path("look at", above))?;
            // In a sticky one, what is root's can be renamed by root only.
            let open_to_others = metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0;
            if metadata.uid() != 0 || open_to_others {
                return refuse(&format!(
                    "others than root may put another directory in its place, as they may write to {}",
                    above.display()
                ));
            }
        }
        if found.path == Path::new("/") || found.path.starts_with("/sys") || found.path.starts_with("/proc") {
            return refuse(
                "the host's own file system cannot be a root directory; name a directory with a copy of a system",
            );
        }
        if found.path.as_os_str().as_bytes().iter().any(|byte| b":,\\".contains(byte)) {
            return refuse("overlayfs takes no colon, comma or backslash in a path");
        }
        Ok(found)
    }

    /// Where a mount at this path of the container goes: the path without symbolic links. What of it is missing is made,
    /// the last name as a directory or as an empty file.
    ///
    /// # Errors
    /// When something of it is in the way.
    pub fn place(&self, path: &Path, directory: bool) -> Result<PathBuf> {
        self.layer.place(&self.found, path, directory)
    }

    /// What the directory has by this path, seen as the container will see it, without its layer; None where nothing is.
    ///
    /// # Errors
    /// The kernel's.
    pub fn look(&self, path: &Path) -> Result<Option<Found>> {
        InRoot::new(self.found.fd.as_fd(), &self.found.path).find(path)
    }

    /// The root, with the kernel's own file systems in it and the sandbox at `seen`, which comes from [`RootDirectory::place`].
    ///
    /// # Errors
    /// Those of the mount calls.
    pub fn prepare(self, sandbox: &Path, seen: PathBuf) -> Result<Preparation> {
        let mut mounts = special::mounts(&self)?;
        // Only the agent's own directories are above it.
        let found = std::fs::canonicalize(sandbox).map_err(Error::path("find the sandbox", sandbox))?;
        let found = paths::trusted(&found)?;
        let tree = open_tree(found.fd.as_fd(), true).map_err(Error::path("copy the mount of the sandbox", sandbox))?;
        set_attributes(tree.as_fd(), 0, Some(Propagation::Slave), true)
            .map_err(Error::path("set up the mount of the sandbox", sandbox))?;
        mounts.push(Mount {
            stage: Stage::Sandbox,
            what: format!("the sandbox at {}", seen.display()),
            at: text(&seen)?,
            source: Source::Tree(tree),
        });
        let attributes = attributes(&self.found)?;
        let content = Content::Layer { tree: self.layer.into_tree(), attributes };
        let root = Root { at: text(&self.found.path)?, content };
        Ok(Preparation { mounts, root: Some(root), sandbox: Some(seen), ..Preparation::default() })
    }
}

/// What the host does not allow on the file system of the directory is not allowed in the container, either.
fn attributes(directory: &Found) -> Result<u64> {
    let flags =
        fstatvfs(&directory.fd).map_err(|e| Error::path("look at the mount of", &directory.path)(e.into()))?.flags();
    let same = [(FsFlags::ST_NOSUID, NOSUID), (FsFlags::ST_NODEV, NODEV), (FsFlags::ST_NOEXEC, NOEXEC)];
    Ok(same.into_iter().filter(|(flag, _)| flags.contains(*flag)).fold(0, |all, (_, attribute)| all | attribute))
}

/// Whether the sandbox can be there in a root directory.
///
/// # Errors
/// Why not.
pub fn check_sandbox_directory(directory: &Path) -> Result<()> {
    let kernels = ["/proc", "/sys", "/dev"].into_iter().any(|kernels| directory.starts_with(kernels));
    let plain = directory.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    if kernels || !plain || directory.parent().is_none() {
        return Err(Error::Refused(format!(
            "--sandbox_directory={}: the sandbox cannot be there in a container; name a directory that is neither the root nor \
             in /proc, /sys or /dev, without \"..\"",
            directory.display()
        )));
    }
    Ok(())
}

/// A path for the kernel.
fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        Error::Refused(format!("the path {} has a NUL byte in it", path.display().to_string().escape_default()))
    })
}
