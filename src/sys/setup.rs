//! What a container's first process does to itself between clone and exec, beside what every one does. All of it is made
//! ready before the clone; [`super::child`] carries it out.
#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

/// Everything that isolators and flags want of the first process.
#[derive(Debug)]
pub struct Setup {
    /// The root directory; None: the host's.
    pub root: Option<Root>,
    /// Sorted by stage. If there is any, or a root, the process must have a mount namespace of its own.
    pub mounts: Vec<Mount>,
    /// The working directory as an absolute path in the container, without symbolic links; None: the descriptor that
    /// comes with the clone, which is right only in the host's mount namespace.
    pub directory: Option<CString>,
    /// A cgroup namespace, made when it is in its cgroups: those are the roots that it sees. (One made by the clone would have
    /// those of who clones.)
    pub cgroup_namespace: bool,
    /// What becomes of the process in place of the command, whose parent it then is.
    pub init: Option<Init>,
    /// For a UTS namespace of its own.
    pub hostname: Option<CString>,
    /// The user namespace that it enters when all of the above is done, and in which its credentials are meant.
    pub user_namespace: Option<OwnedFd>,
    /// It enters after the mounts were made, so that they can neither be unmounted there nor get other attributes.
    pub fasten_mounts: bool,
    /// What it may do.
    pub privileges: Privileges,
    /// What the kernel's OOM killer adds to its badness: proc(5), -1000 to 1000.
    pub oom_score_adj: CString,
    /// Whether it is a failure if that is not allowed.
    pub oom_score_adj_must_be: bool,
    /// umask(2).
    pub umask: u32,
    /// How paths in the container are resolved: [`super::mount::BENEATH`].
    pub resolve: u64,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            root: None,
            mounts: Vec::new(),
            directory: None,
            cgroup_namespace: false,
            init: None,
            hostname: None,
            user_namespace: None,
            fasten_mounts: true,
            privileges: Privileges::default(),
            oom_score_adj: c"0".into(),
            oom_score_adj_must_be: false,
            umask: 0o022,
            resolve: super::mount::BENEATH,
        }
    }
}

/// When a mount is made: the later ones go over the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Of the kernel: /proc, /sys, /dev and what is below them.
    Special,
    /// The sandbox in a root directory of the container's own.
    Sandbox,
    /// Volumes.
    Volume,
    /// What hides or protects something of all that.
    Mask,
}

/// One mount in the container's own mount namespace.
#[derive(Debug)]
pub struct Mount {
    /// When.
    pub stage: Stage,
    /// The words after "cannot mount" in an error, as "the volume /a at /b".
    pub what: String,
    /// Where: an absolute path in the container, without symbolic links and `..`. It must be there.
    pub at: CString,
    /// What.
    pub source: Source,
}

impl Mount {
    /// Whether the other one would only put the same over it once more.
    pub fn is_same(&self, other: &Mount) -> bool {
        let fresh = |mount: &Mount| match mount.source {
            Source::Fresh { kind, attributes } => Some((kind, attributes)),
            _ => None,
        };
        self.at == other.at && fresh(self).is_some() && fresh(self) == fresh(other)
    }
}

/// What is mounted.
#[derive(Debug)]
pub enum Source {
    /// A tree of mounts that is nowhere yet: [`super::mount::open_tree`], [`super::mount::Configured::make`].
    Tree(OwnedFd),
    /// The same, of files of the container's own: in a user namespace they have to show the owners that they have outside of
    /// it, which is seen to before the clone. Its attributes but RDONLY are those that the host has there.
    Mapped(OwnedFd),
    /// As `Tree`; left out if there is nothing at that path.
    TreeIfThere(OwnedFd),
    /// A file system that shows the namespaces of who makes it, as `proc`.
    Fresh {
        /// As fsopen(2) takes it.
        kind: &'static CStr,
        /// `MOUNT_ATTR_*`.
        attributes: u64,
    },
    /// The same; left out if there is nothing at that path.
    FreshIfThere {
        /// As fsopen(2) takes it.
        kind: &'static CStr,
        /// `MOUNT_ATTR_*`.
        attributes: u64,
    },
    /// What is there already, once more, read-only; left out if there is nothing.
    ReadOnly,
}

/// An init as process 1: it gets the second descriptor as its descriptor 0 and keeps no other.
#[derive(Debug)]
pub struct Init {
    /// The program, open for execveat(2).
    pub program: OwnedFd,
    /// Where it writes the raw wait(2) status of the command's process; open for writing.
    pub status: OwnedFd,
}

/// A root directory of the container's own.
#[derive(Debug)]
pub struct Root {
    /// A directory of the host, as an absolute path without symbolic links. What becomes the root is put on it first, which
    /// nobody sees.
    pub at: CString,
    /// What becomes the root.
    pub content: Content,
}

/// What is in a root directory.
#[derive(Debug)]
pub enum Content {
    /// A tree of mounts that is nowhere yet.
    Tree(OwnedFd),
    /// What is in the host's directory, with a layer over it that takes what is written: overlayfs. This is the layer's file
    /// system, mounted nowhere yet, with the directories `upper` and `work`.
    ///
    /// It takes the first process to put them together: up to Linux 6.14 a layer must be mounted in the mount namespace in
    /// which that is done, and nothing is mounted in the host's.
    Layer {
        /// The layer's file system.
        tree: OwnedFd,
        /// `MOUNT_ATTR_*` of the whole: what holds for the mount of the host's directory must hold here, too.
        attributes: u64,
    },
}

/// What a process may do.
#[derive(Debug, Default)]
pub struct Privileges {
    /// None: what the kernel gives to a process of the user.
    pub capabilities: Option<Capabilities>,
    /// PR_SET_NO_NEW_PRIVS: executing a program gives no rights that the process has not.
    pub no_new_privileges: bool,
    /// setrlimit(2), in this order.
    pub rlimits: Vec<Rlimit>,
    /// A filter of system calls; needs `no_new_privileges`.
    pub seccomp: Option<Vec<libc::sock_filter>>,
}

/// Sets of capabilities, one bit for each by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// What there may ever be, also by executing a program.
    pub bounding: u64,
    /// What there is: permitted and effective.
    pub permitted: u64,
    /// What stays when a program is executed by another user than root: ambient and inheritable.
    pub ambient: u64,
}

/// A limit of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// RLIMIT_*.
    pub resource: u32,
    /// What holds; `u64::MAX` for no limit.
    pub soft: u64,
    /// Up to where the process may raise it.
    pub hard: u64,
}
