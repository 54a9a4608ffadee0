//! A directory that is to be a project, and whether its file system can do that.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat, major, minor};
use nix::sys::statfs::{FsType, fstatfs};

use super::super::quota::Place;
use crate::cgroup;
use crate::error::{Error, Result};
use crate::step::step;
use crate::sys::{
    Project, ProjectQuota, attribute, project_accounting, project_of, project_quota, set_attribute, set_project,
    set_project_limits,
};

/// Others than XFS, for messages: what statfs(2) says of them.
const OTHERS: &[(i64, &str)] = &[
    (0xef53, "ext4"),
    (0x0102_1994, "tmpfs"),
    (0x9123_683e, "btrfs"),
    (0x794c_7630, "overlay"),
    (0x6969, "nfs"),
    (0x2fc1_2fc1, "zfs"),
];

/// An extended attribute that only root can see and set, unlike the project id, which is the owner's to change.
const NOTE: &CStr = c"trusted.mesos-ecp.project";

/// An open directory of a file system that accounts projects.
#[derive(Debug)]
pub(super) struct Spot {
    /// Not of O_PATH: the kernel does not tell the project of such.
    directory: OwnedFd,
    path: PathBuf,
    /// st_dev.
    device: u64,
}

impl Spot {
    /// Opens a place. `enforced`: with limits.
    ///
    /// # Errors
    /// When it is not there, or its file system has no project quotas, with what to do.
    pub(super) fn open(place: &Place, path: &Path, enforced: bool) -> Result<Spot> {
        let spot = Spot::enter(&place.open()?, path)?;
        spot.check(&place.name(), enforced)?;
        Ok(spot)
    }

    /// Opens a directory that once was a project, perhaps by a link, as it was found at launch. Whoever changes something there
    /// looks at its id first.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn again(path: &Path) -> Result<Spot> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let found = File::options().read(true).custom_flags(flags).open(path).map_err(Error::path("open", path))?;
        Spot::enter(&found.into(), path)
    }

    fn enter(found: &OwnedFd, path: &Path) -> Result<Spot> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = openat(found, ".", flags, Mode::empty()).map_err(|e| Error::path("open", path)(e.into()))?;
        let device = fstat(&directory).map_err(|e| Error::path("look at", path)(e.into()))?.st_dev;
        Ok(Spot { directory, path: path.to_path_buf(), device })
    }

    fn check(&self, name: &str, enforced: bool) -> Result<()> {
        let kind =
            fstatfs(&self.directory).map_err(|e| Error::path("look at the file system of", &self.path)(e.into()))?;
        let kind = kind.filesystem_type();
        let mounted =
            "mount it with -o prjquota (the root file system: rootflags=prjquota on the kernel's command line)";
        if kind != FsType(libc::XFS_SUPER_MAGIC) {
            let FsType(magic) = kind;
            let known = OTHERS.iter().find(|(number, _)| i128::from(*number) == i128::from(magic));
            let kind =
                known.map_or_else(|| format!("a file system of type {magic:#x}"), |(_, name)| (*name).to_owned());
            return Err(Error::Refused(format!(
                "{name} is on {kind}, and only XFS has project quotas: have the agent's work_dir (and volumes) on XFS, or leave \
                 disk/xfs out of --isolation (posix/disk works anywhere)"
            )));
        }
        match project_accounting(self.fd()) {
            Ok(None) => {
                Err(Error::Refused(format!("{name} is on XFS that is mounted without project quotas: {mounted}")))
            }
            Ok(Some(accounting)) if enforced && !accounting.enforced => Err(Error::Refused(format!(
                "{name} is on XFS that is mounted with pqnoenforce, so that no quota holds: {mounted}, or leave \
                 --enforce_container_disk_quota out"
            ))),
            Ok(Some(_)) => Ok(()),
            Err(e) => Err(Error::path("ask for the project quotas of", &self.path)(e)),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.directory
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is accounted to a project of its file system.
    pub(super) fn quota(&self, id: u32) -> Result<ProjectQuota> {
        project_quota(self.fd(), id).map_err(Error::path("ask for what is used of", &self.path))
    }

    /// Sets limits of a project of its file system, in bytes; 0: none.
    pub(super) fn limit(&self, id: u32, (soft, hard): (u64, u64)) -> Result<()> {
        step("project limit", || set_project_limits(self.fd(), id, soft, hard))
            .map_err(Error::path("set the quota of", &self.path))
    }

    pub(super) fn project(&self) -> Result<Project> {
        project_of(self.fd()).map_err(Error::path("ask for the project of", &self.path))
    }

    /// Makes the directory itself one of a project.
    pub(super) fn become_of(&self, project: Project) -> Result<()> {
        step("project id", || set_project(self.fd(), project))
            .map(drop)
            .map_err(Error::path("give a project id to", &self.path))
    }

    /// Writes down that this id was given to the directory by us.
    pub(super) fn note(&self, id: u32) -> Result<()> {
        step("project note", || set_attribute(self.fd(), NOTE, id.to_string().as_bytes()))
            .map_err(Error::path("note the project id of", &self.path))
    }

    /// The id that was last given to the directory by us.
    pub(super) fn noted(&self) -> Result<Option<u32>> {
        let value =
            attribute(self.fd(), NOTE, 16).map_err(Error::path("ask for the noted project id of", &self.path))?;
        Ok(value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok()))
    }

    /// Held until it is dropped: nobody else of this host chooses ids on this file system. The file
    /// stays: by whom it is used cannot be known.
    pub(super) fn lock(&self) -> Result<File> {
        let path = PathBuf::from(format!("/run/mesos-ecp-xfs-{}-{}.lock", major(self.device), minor(self.device)));
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(Error::path("open", &path))?;
        cgroup::lock(&file, &path)?;
        Ok(file)
    }
}
