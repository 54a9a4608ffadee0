//! What the first process is to do to itself, from what the isolators prepared; and which of it failed.
#![forbid(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::{Gid, Uid};

use super::rights;
use crate::config::Limits;
use crate::config::rlimit::Limit;
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::isolator::{Mount, Preparation, Stage};
use crate::launcher::Account;
use crate::sys::mount::BENEATH;
use crate::sys::{ChildFailure, ChildStep, Setup, Wrong};
use crate::weaken;

/// The namespaces for the clone, and what follows it. With mounts or a root directory of its own the container has a mount
/// namespace; there the working directory goes by its path, since a descriptor from here would lead out.
///
/// # Errors
/// A sandbox whose path cannot be resolved; one that a mount would hide; rights that the process could not give itself.
pub(super) fn setup(preparation: Preparation, sandbox: &Path, limits: &Limits) -> Result<(u64, Setup)> {
    let Preparation { mounts, root, sandbox: seen, hostname, user, privileges, init, mut namespaces, .. } = preparation;
    let new_mounts = libc::CLONE_NEWNS as u64;
    if !mounts.is_empty() || root.is_some() {
        namespaces |= new_mounts;
    }
    // Else it would be the host that gets the name.
    if hostname.is_some() {
        namespaces |= libc::CLONE_NEWUTS as u64;
    }
    let new_cgroups = libc::CLONE_NEWCGROUP as u64;
    let cgroup_namespace = namespaces & new_cgroups != 0;
    namespaces &= !new_cgroups;
    let mut directory = None;
    if namespaces & new_mounts != 0 {
        let path = match seen {
            Some(seen) => seen,
            // Only the agent's own directories are above it.
            None => std::fs::canonicalize(sandbox).map_err(Error::path("find the sandbox", sandbox))?,
        };
        let hides =
            |mount: &&Mount| mount.stage == Stage::Special && path.starts_with(OsStr::from_bytes(mount.at.as_bytes()));
        if let Some(mount) = mounts.iter().find(hides).filter(|_| root.is_none()) {
            return Err(Error::Refused(format!(
                "the sandbox {} is in {}, which the container has for itself: give the agent another work_dir",
                path.display(),
                mount.what
            )));
        }
        directory = Some(CString::new(path.as_os_str().as_bytes()).map_err(|_| {
            Error::Refused(format!(
                "the sandbox's path {} contains a NUL byte",
                path.display().to_string().escape_default()
            ))
        })?);
    }
    rights::check(&privileges, user.is_some())?;
    let own = Setup::default();
    let oom_score_adj = match limits.oom_score_adj {
        Some(asked) => CString::new(asked.to_string()).unwrap_or_default(),
        None => own.oom_score_adj,
    };
    let resolve = if weaken::is("symlinks") { 0 } else { BENEATH };
    Ok((
        namespaces,
        Setup {
            root,
            mounts,
            directory,
            cgroup_namespace,
            init,
            hostname,
            user_namespace: user.map(|user| user.namespace),
            fasten_mounts: !weaken::is("fast-mounts"),
            privileges,
            oom_score_adj,
            oom_score_adj_must_be: limits.oom_score_adj.is_some(),
            umask: limits.umask,
            resolve,
        },
    ))
}

/// What a failure in the first process may have been about.
pub(super) struct Subject<'a> {
    /// The program as the record has it.
    pub(super) command: String,
    /// The sandbox on the host.
    pub(super) sandbox: String,
    /// Whom it was to become.
    pub(super) account: &'a Account,
    /// Whom it was to become outside of its user namespace, if it has one.
    pub(super) outside: Option<(Uid, Gid)>,
    /// The container.
    pub(super) id: &'a ContainerId,
}

impl Subject<'_> {
    /// The failure in words.
    pub(super) fn explain(self, failure: ChildFailure, setup: &Setup) -> Error {
        let user = self.account.name.as_deref().unwrap_or("the agent's user").to_owned();
        let privileges = &setup.privileges;
        let (step, subject) = match failure.step {
            ChildStep::Exec => {
                let denied = failure.source.raw_os_error() == Some(libc::EACCES);
                let program = match self.outside.filter(|_| denied) {
                    None => self.command,
                    Some((uid, _)) => format!(
                        "{} as uid {uid} of the host, which is nobody there (isolator namespaces/user): the program, and all \
                         directories above it, have to be open to others",
                        self.command
                    ),
                };
                return Error::NotExecuted { program, source: failure.source };
            }
            ChildStep::Cgroups => ("join the cgroups of", self.id.to_string()),
            ChildStep::Directory => match &setup.directory {
                Some(seen) => ("change to the sandbox in the container,", seen.to_string_lossy().into_owned()),
                None => ("change to the sandbox", self.sandbox),
            },
            ChildStep::Groups | ChildStep::Gid | ChildStep::Uid => ("change to the user", user),
            ChildStep::Session => ("make a session for", self.command),
            ChildStep::Stdio => ("redirect the output of", self.command),
            ChildStep::Hostname => (
                "set the container's hostname",
                setup.hostname.as_ref().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            ),
            ChildStep::Propagation => ("keep the container's mounts from", "the host".into()),
            ChildStep::Root => ("change to the container's root directory", root(setup)),
            ChildStep::Mount => ("mount", setup.mounts.get(failure.number).map(|m| m.what.clone()).unwrap_or_default()),
            ChildStep::Rlimit => (
                "set the resource limit",
                privileges.rlimits.get(failure.number).map(|l| Limit::from(*l).to_string()).unwrap_or_default(),
            ),
            ChildStep::UserNamespace => ("enter the user namespace of", self.id.to_string()),
            ChildStep::Capabilities => ("set the capabilities of", user),
            ChildStep::NoNewPrivileges => ("set no_new_privs for", self.command),
            ChildStep::Seccomp => ("set the seccomp filter of", self.command),
            ChildStep::Bounding => ("limit the bounding capabilities of", user),
            ChildStep::OomScoreAdj => (
                "set the oom_score_adj of",
                format!(
                    "{} to {} (--oom_score_adj; to make it less than the agent's takes CAP_SYS_RESOURCE)",
                    self.command,
                    setup.oom_score_adj.to_string_lossy()
                ),
            ),
            // Nobody refused anything: the kernel's answer says nothing.
            ChildStep::Verify => {
                let what = Wrong::words(failure.number);
                return Error::Refused(format!(
                    "the first process did not become {user}: {what} are not what they should be; it was ended before it executed anything"
                ));
            }
            ChildStep::CgroupNamespace => ("make a cgroup namespace for", self.id.to_string()),
            ChildStep::Fork => ("start a process under the init (--pid1) for", self.command),
            ChildStep::Init => ("execute the init (--pid1) of", self.id.to_string()),
        };
        Error::Child { step, subject, source: failure.source }
    }
}

fn root(setup: &Setup) -> String {
    setup.root.as_ref().map(|root| root.at.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::isolator::Source;

    #[test]
    fn a_sandbox_that_the_containers_own_mounts_would_hide_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let top = std::fs::canonicalize(dir.path()).unwrap();
        let (shm, sandbox) = (top.join("shm"), top.join("shm/sandbox"));
        std::fs::create_dir_all(&sandbox).unwrap();
        let prepared = |at: &Path| Preparation {
            mounts: vec![Mount {
                stage: Stage::Special,
                what: "/dev/shm".into(),
                at: CString::new(at.as_os_str().as_bytes()).unwrap(),
                source: Source::ReadOnly,
            }],
            ..Preparation::default()
        };
        let limits = Limits {
            effective_capabilities: None,
            bounding_capabilities: None,
            default_rlimits: vec![],
            umask: 0o22,
            oom_score_adj: None,
        };
        let error = setup(prepared(&shm), &sandbox, &limits).unwrap_err().to_string();
        assert!(error.contains("is in /dev/shm") && error.contains("another work_dir"), "{error}");
        let (namespaces, made) = setup(prepared(&top.join("sh")), &sandbox, &limits).unwrap();
        assert_eq!(namespaces, libc::CLONE_NEWNS as u64);
        assert_eq!(made.directory.unwrap().as_bytes(), sandbox.as_os_str().as_bytes());
    }
}
