//! The directory of one user's cache: made and checked here, filled by `mesos-ecp-fetch`.
//!
//! Each user has one of its own, so that none can put a file there that another's container would run.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, fchown, geteuid};

/// The default of `--fetcher_cache_dir`. None: without root and without a home.
#[must_use]
pub fn default_dir(environment: &[(OsString, OsString)], root: bool) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/cache/mesos-ecp"));
    }
    let absolute = |name: &str| {
        let found = environment.iter().find(|(known, _)| known == OsStr::new(name));
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("mesos-ecp"))
}

/// Opens the cache of `user` below `base`; both are made where they are missing.
///
/// # Errors
/// The reason as text, why it is not used: what may be anybody else's work is not trusted.
pub(super) fn open(base: &Path, user: (Uid, Gid)) -> Result<File, String> {
    let failed = |error: io::Error| format!("{}: {error}", base.display());
    DirBuilder::new().recursive(true).mode(0o700).create(base).map_err(failed)?;
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let open = OpenOptions::new().read(true).custom_flags(flags).open(base).map_err(failed)?;
    check(&open, base, geteuid())?;

    let name = user.0.to_string();
    let path = base.join(&name);
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    match mkdirat(&open, name.as_str(), Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(failed(errno.into())),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let own = openat(&open, name.as_str(), flags, Mode::empty()).map(File::from).map_err(|e| failed(e.into()))?;
    // Ours still: just made, by this process or by another one that has not come to this line yet.
    let found = own.metadata().map_err(failed)?;
    if found.uid() == geteuid().as_raw() && user.0 != geteuid() {
        fchown(&own, Some(user.0), Some(user.1)).map_err(|e| failed(e.into()))?;
    }
    check(&own, &path, user.0)?;
    Ok(own)
}

fn check(dir: &File, path: &Path, owner: Uid) -> Result<(), String> {
    let found = dir.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
    if found.uid() != owner.as_raw() || found.mode() & 0o022 != 0 {
        return Err(format!(
            "{} must belong to uid {owner} (it is uid {}'s) and be writable by its owner only (its mode is {:04o}); correct \
             it or name another --fetcher_cache_dir",
            path.display(),
            found.uid(),
            found.mode() & 0o7777
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn me() -> (Uid, Gid) {
        (geteuid(), nix::unistd::getegid())
    }

    #[test]
    fn it_is_made_for_one_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a/cache");
        let opened = open(&base, me()).unwrap();
        let own = base.join(me().0.to_string());
        for path in [&base, &own] {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o700);
        }
        assert_eq!(opened.metadata().unwrap().ino(), fs::metadata(&own).unwrap().ino());
        open(&base, me()).unwrap();
        if me().0.is_root() {
            let other = (Uid::from_raw(65534), Gid::from_raw(65534));
            assert_eq!(open(&base, other).unwrap().metadata().unwrap().uid(), 65534);
            open(&base, other).unwrap();
        }
    }

    #[test]
    fn what_others_may_have_made_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("cache");
        open(&base, me()).unwrap();
        let own = base.join(me().0.to_string());
        fs::set_permissions(&own, Permissions::from_mode(0o770)).unwrap();
        assert!(open(&base, me()).unwrap_err().contains("0770"));
        fs::set_permissions(&own, Permissions::from_mode(0o700)).unwrap();
        fs::rename(&own, base.join("moved")).unwrap();
        symlink("moved", &own).unwrap();
        assert!(open(&base, me()).is_err());
        fs::set_permissions(&base, Permissions::from_mode(0o777)).unwrap();
        assert!(open(&base, me()).unwrap_err().contains("--fetcher_cache_dir"));
        fs::rename(&base, dir.path().join("moved")).unwrap();
        symlink("moved", &base).unwrap();
        assert!(open(&base, me()).is_err());
        fs::remove_file(&base).unwrap();
        fs::write(&base, "").unwrap();
        assert!(open(&base, me()).is_err());
    }

    #[test]
    fn where_it_is_by_default() {
        let environment = |pairs: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        let both = environment(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]);
        assert_eq!(default_dir(&both, true).unwrap(), Path::new("/var/cache/mesos-ecp"));
        assert_eq!(default_dir(&both, false).unwrap(), Path::new("/x/mesos-ecp"));
        let relative = environment(&[("HOME", "/h"), ("XDG_CACHE_HOME", "x")]);
        assert_eq!(default_dir(&relative, false).unwrap(), Path::new("/h/.cache/mesos-ecp"));
        assert_eq!(default_dir(&[], false), None);
    }
}
