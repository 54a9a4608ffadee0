//! Gives a volume to the user of the container.
//!
//! What is in it was made by whoever used it before, perhaps to make root give away more than the volume. So everything is
//! done by descriptor, no link is followed, no mount entered, and some things stay as they are: see [`is_of_the_volume`].
#![forbid(unsafe_code)]

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::unistd::{Gid, Uid, fchownat, geteuid};

use super::source::{Source, identity};
use crate::error::{Error, Result};
use crate::sys::mount::{BENEATH, openat2};
use crate::weaken;

/// A directory on the way down.
struct Level {
    name: CString,
    /// To know it again on the way up.
    identity: (u64, u64),
    /// The directories in it that are still to be entered.
    left: Vec<CString>,
}

struct Walk<'a> {
    shown: &'a Path,
    /// Whose the volume was.
    former: Uid,
    to: (Uid, Gid),
    device: u64,
}

/// Gives the volume to this owner and group, with all that is in it, if its directory is not the owner's already. That is done
/// last, so that it is done again if it was cut short. Without root nothing can be given away, and nothing is.
///
/// # Errors
/// Of the first thing that cannot be given.
pub(super) fn give(source: &Source, to: (Uid, Gid)) -> Result<()> {
    if source.owner == to.0 || !geteuid().is_root() {
        return Ok(());
    }
    let walk = Walk { shown: &source.path, former: source.owner, to, device: source.identity.0 };
    walk.all(source.fd.as_fd())?;
    fchownat(&source.fd, "", Some(to.0), Some(to.1), AtFlags::AT_EMPTY_PATH).map_err(walk.fail(&[], None))
}

impl Walk<'_> {
    /// Depth first, with one directory open at a time: they may be nested deeper than there are descriptors.
    fn all(&self, top: BorrowedFd<'_>) -> Result<()> {
        let mut here = open(top, c".").map_err(self.fail(&[], None))?;
        let mut way = vec![Level { name: c".".into(), identity: look(&here)?, left: self.inside(&here, &[])? }];
        loop {
            if let Some(name) = way.last_mut().and_then(|level| level.left.pop()) {
                let below = match open(here.as_fd(), &name) {
                    // Gone, or no directory any more, or one with something mounted on it.
                    Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EXDEV) => continue,
                    below => below.map_err(self.fail(&way, Some(&name)))?,
                };
                let identity = look(&below)?;
                let left = self.inside(&below, &way)?;
                way.push(Level { name, identity, left });
                here = below;
                continue;
            }
            way.pop();
            let Some(above) = way.last() else { break };
            here =
                nix::fcntl::openat(&here, c"..", READ, nix::sys::stat::Mode::empty()).map_err(self.fail(&way, None))?;
            if look(&here)? != above.identity {
                return Err(Error::Refused(format!(
                    "cannot give {} to the container's user: somebody moves directories in it",
                    self.shown.display()
                )));
            }
        }
        Ok(())
    }

    /// Gives what is in this directory; the directories among it are returned.
    fn inside(&self, directory: &OwnedFd, way: &[Level]) -> Result<Vec<CString>> {
        let copy = directory.try_clone().map_err(Error::system("duplicate a descriptor"))?;
        let mut list = Dir::from_fd(copy).map_err(self.fail(way, None))?;
        let mut directories = Vec::new();
        for entry in list.iter() {
            let entry = entry.map_err(self.fail(way, None))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let flags = libc::O_PATH | libc::O_NOFOLLOW;
            let found = match openat2(directory.as_fd(), name, flags, 0, BENEATH | libc::RESOLVE_NO_XDEV) {
                Err(e) if [Some(libc::ENOENT), Some(libc::EXDEV)].contains(&e.raw_os_error()) => continue,
                found => found.map_err(|e| self.fail(way, Some(name))(errno(&e)))?,
            };
            let stat = fstat(&found).map_err(self.fail(way, Some(name)))?;
            if stat.st_dev != self.device || !is_of_the_volume(&stat, self.former) {
                continue;
            }
            if (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid)) != self.to {
                let (uid, gid) = self.to;
                fchownat(&found, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
                    .map_err(self.fail(way, Some(name)))?;
            }
            if kind(&stat) == SFlag::S_IFDIR {
                directories.push(name.to_owned());
            }
        }
        Ok(directories)
    }

    fn fail(&self, way: &[Level], name: Option<&CStr>) -> impl FnOnce(Errno) -> Error + use<> {
        let names = way.iter().skip(1).map(|level| level.name.as_c_str()).chain(name);
        let below: PathBuf = names.map(|name| OsStr::from_bytes(name.to_bytes())).collect();
        let path = self.shown.join(below);
        move |errno| Error::path("give to the container's user", path)(errno.into())
    }
}

/// Whether this goes with the volume. Device files do not: the next user would get the device. Nor does a file that has other
/// names, which may be outside of the volume, unless it was its former user's anyway; and of root's none.
fn is_of_the_volume(stat: &FileStat, former: Uid) -> bool {
    match kind(stat) {
        SFlag::S_IFDIR => true,
        SFlag::S_IFBLK | SFlag::S_IFCHR => false,
        _ if weaken::is("hard-links") => true,
        _ => stat.st_nlink == 1 || (stat.st_uid == former.as_raw() && !former.is_root()),
    }
}

const READ: nix::fcntl::OFlag =
    nix::fcntl::OFlag::O_RDONLY.union(nix::fcntl::OFlag::O_DIRECTORY).union(nix::fcntl::OFlag::O_CLOEXEC);

fn open(at: BorrowedFd<'_>, name: &CStr) -> nix::Result<OwnedFd> {
    openat2(at, name, READ.bits(), 0, BENEATH | libc::RESOLVE_NO_XDEV).map_err(|e| errno(&e))
}

fn look(directory: &OwnedFd) -> Result<(u64, u64)> {
    fstat(directory).map(|stat| identity(&stat)).map_err(Error::system("look at an open directory"))
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{source, volume::Volume};
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};

    const OLD: (u32, u32) = (65533, 65533);
    const NEW: (u32, u32) = (65534, 65534);

    struct Place(tempfile::TempDir);

    impl Place {
        /// None without root.
        fn new() -> Option<Place> {
            geteuid().is_root().then(|| {
                let dir = tempfile::tempdir().unwrap();
                fs::create_dir_all(dir.path().join("volume/a")).unwrap();
                Place(dir)
            })
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn old(&self, name: &str) -> PathBuf {
            let path = self.path(name);
            lchown(&path, Some(OLD.0), Some(OLD.1)).unwrap();
            path
        }

        fn give(&self) -> Result<()> {
            let (base, below) = (Some(self.path("volume")), PathBuf::new());
            let volume = Volume { name: "V".into(), base, below, at: "x".into(), read_only: false };
            give(&source::open(&volume, None).unwrap(), (NEW.0.into(), NEW.1.into()))
        }

        fn owner(&self, name: &str) -> (u32, u32) {
            let found = fs::symlink_metadata(self.path(name)).unwrap();
            (found.uid(), found.gid())
        }
    }

    #[test]
    fn a_volume_is_given_with_all_that_is_its_own() {
        let Some(place) = Place::new() else { return };
        fs::write(place.path("volume/a/file"), "").unwrap();
        fs::write(place.path("outside"), "").unwrap();
        fs::create_dir(place.path("elsewhere")).unwrap();
        fs::write(place.path("elsewhere/file"), "").unwrap();
        symlink(place.path("outside"), place.path("volume/link")).unwrap();
        symlink(place.path("elsewhere"), place.path("volume/a/link")).unwrap();
        fs::write(place.path("others"), "").unwrap();
        fs::hard_link(place.path("others"), place.path("volume/a/others")).unwrap();
        fs::write(place.path("volume/mine"), "").unwrap();
        fs::hard_link(place.path("volume/mine"), place.path("volume/a/mine")).unwrap();
        for name in ["volume", "volume/a", "volume/mine"] {
            place.old(name);
        }
        fs::set_permissions(place.path("volume/a/file"), fs::Permissions::from_mode(0o4755)).unwrap();
        let null = place.path("volume/a/null");
        nix::sys::stat::mknod(&null, SFlag::S_IFCHR, nix::sys::stat::Mode::S_IRWXU, nix::sys::stat::makedev(1, 3)).ok();

        place.give().unwrap();
        for name in ["volume", "volume/a", "volume/a/file", "volume/link", "volume/a/link", "volume/a/mine"] {
            assert_eq!(place.owner(name), NEW, "{name}");
        }
        for name in ["outside", "elsewhere", "elsewhere/file", "others"] {
            assert_eq!(place.owner(name), (0, 0), "{name}");
        }
        if null.exists() {
            assert_eq!(place.owner("volume/a/null"), (0, 0));
        }
        assert_eq!(
            fs::metadata(place.path("volume/a/file")).unwrap().mode() & 0o7000,
            0,
            "nobody becomes the new user"
        );

        // It is theirs: what else is in it is nobody's business.
        place.old("volume/a");
        place.give().unwrap();
        assert_eq!(place.owner("volume/a"), OLD);
    }

    #[test]
    fn of_roots_volume_no_file_with_other_names_is_given() {
        let Some(place) = Place::new() else { return };
        fs::write(place.path("roots"), "").unwrap();
        fs::hard_link(place.path("roots"), place.path("volume/a/roots")).unwrap();
        place.give().unwrap();
        assert_eq!((place.owner("roots"), place.owner("volume/a"), place.owner("volume")), ((0, 0), NEW, NEW));
    }

    #[test]
    fn no_depth_is_too_deep() {
        let Some(place) = Place::new() else { return };
        let mut here = open(fs::File::open(place.path("volume")).unwrap().as_fd(), c".").unwrap();
        for _ in 0..3000 {
            nix::sys::stat::mkdirat(&here, "d", nix::sys::stat::Mode::S_IRWXU).unwrap();
            here = open(here.as_fd(), c"d").unwrap();
        }
        place.give().unwrap();
        assert_eq!(fstat(&here).unwrap().st_uid, NEW.0);
    }

    #[test]
    fn no_mount_is_entered() {
        let Some(place) = Place::new() else { return };
        // Bound in a mount namespace of this thread alone.
        std::thread::scope(|scope| {
            let walked = scope.spawn(|| {
                use nix::mount::{MsFlags, mount};
                use nix::sched::{CloneFlags, unshare};
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
                fs::create_dir(place.path("elsewhere")).unwrap();
                fs::create_dir(place.path("volume/mounted")).unwrap();
                let (from, to) = (place.path("elsewhere"), place.path("volume/mounted"));
                mount(Some(&from), &to, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
                place.give()
            });
            walked.join().unwrap().unwrap();
        });
        assert_eq!((place.owner("elsewhere"), place.owner("volume/a")), ((0, 0), NEW));
    }
}
