//! `namespaces/user`: the container's ids from 0 on are ids of the host that are nobody's, so that root inside is nobody
//! outside.
//!
//! Nothing is left to be undone: the namespace ends with its last process. All that takes the host's root (mounts, cgroups,
//! limits) is done by the first process before it enters the namespace.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod host;
mod maps;

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::IdRange;
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Mount, Preparation, Source, Stage, UserNamespace, mount};
use crate::isolators::Settings;
use crate::sys::user_namespace;

/// See the module.
#[derive(Debug)]
pub struct User {
    range: Option<IdRange>,
}

impl User {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> User {
        User { range: settings.userns.userns_range }
    }

    fn range(&self) -> Result<IdRange> {
        self.range.ok_or_else(|| {
            Error::Refused(
                "there are no ids for containers: reserve some that belong to nobody (a line \"mesos-ecp:524288:65536\" in \
                 /etc/subuid and /etc/subgid) and say --userns_range=524288-589823"
                    .into(),
            )
        })
    }
}

impl Isolator for User {
    fn name(&self) -> &str {
        "namespaces/user"
    }

    fn ids(&self) -> Option<IdRange> {
        self.range
    }

    fn probe(&self) -> Result<()> {
        let range = self.range()?;
        host::can()?;
        host::is_free(range, Path::new("/etc/subuid"))?;
        host::is_free(range, Path::new("/etc/subgid"))
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        if let Some(asked) = container.asked {
            maps::check(self.range()?, asked.account)?;
        }
        Ok(Facts::new())
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let range = self.range()?;
        let (uid, gid) = container.asked.map_or((0, 0), |asked| {
            let (uid, gid) = asked.account.owner();
            (uid.as_raw(), gid.as_raw())
        });
        let all = maps::all(range);
        let namespace = make(&all, &all)?;
        let files = make(&maps::files(range, uid), &maps::files(range, gid))?;
        Ok(Preparation {
            mounts: vec![sandbox(container.sandbox)?],
            user: Some(UserNamespace { namespace, files, keeps_root: uid == 0 || gid == 0 }),
            ..Preparation::default()
        })
    }
}

fn make(uids: &str, gids: &str) -> Result<OwnedFd> {
    user_namespace(uids, gids).map_err(Error::system("make a user namespace"))
}

/// The sandbox once more in its place, there to be mapped.
fn sandbox(path: &Path) -> Result<Mount> {
    // Only the agent's own directories are above it.
    let path = fs::canonicalize(path).map_err(Error::path("find the sandbox", path))?;
    host::is_open_above(&path)?;
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(&path)
        .map_err(Error::path("open the sandbox", &path))?;
    let tree = mount::open_tree(directory.as_fd(), false).map_err(Error::path("make a mount of the sandbox", &path))?;
    let at = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::Refused(format!("the sandbox's path {path:?} contains a NUL byte")))?;
    let what = format!("the sandbox {}", path.display());
    Ok(Mount { stage: Stage::Sandbox, what, at, source: Source::Mapped(tree) })
}
