//! What the child says of a failure.
#![forbid(unsafe_code)]

/// What the child was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ChildStep {
    /// setsid(2), or a session keyring.
    Session = 1,
    /// dup3(2) onto 0, 1, 2.
    Stdio,
    /// Changing to the sandbox.
    Directory,
    /// setgroups(2).
    Groups,
    /// setresgid(2).
    Gid,
    /// setresuid(2).
    Uid,
    /// execve(2).
    Exec,
    /// Writing to `tasks` (v1) and `cgroup.procs` (v2) files of cgroups.
    Cgroups,
    /// sethostname(2).
    Hostname,
    /// Keeping the namespace's mounts from the host.
    Propagation,
    /// One of [`Setup::mounts`](crate::sys::Setup::mounts), by its number.
    Mount,
    /// Putting the root directory in its place.
    Root,
    /// One of [`Privileges::rlimits`](crate::sys::Privileges::rlimits), by its number.
    Rlimit,
    /// Entering the user namespace, with the mounts made fast.
    UserNamespace,
    /// Setting capabilities.
    Capabilities,
    /// prctl(PR_SET_NO_NEW_PRIVS).
    NoNewPrivileges,
    /// seccomp(2).
    Seccomp,
    /// Looking whether it is what it should have become; the number is of [`Wrong`](crate::sys::Wrong).
    Verify,
    /// Dropping capabilities from the bounding set.
    Bounding,
    /// Writing to /proc/self/oom_score_adj.
    OomScoreAdj,
    /// unshare(CLONE_NEWCGROUP).
    CgroupNamespace,
    /// clone(2), for the child of an init.
    Fork,
    /// execveat(2) of the init.
    Init,
}

impl ChildStep {
    const ALL: [ChildStep; 23] = {
        use ChildStep::*;
        [
            Session,
            Stdio,
            Directory,
            Groups,
            Gid,
            Uid,
            Exec,
            Cgroups,
            Hostname,
            Propagation,
            Mount,
            Root,
            Rlimit,
            UserNamespace,
            Capabilities,
            NoNewPrivileges,
            Seccomp,
            Verify,
            Bounding,
            OomScoreAdj,
            CgroupNamespace,
            Fork,
            Init,
        ]
    };

    /// The step that a child reported.
    pub(in crate::sys) fn of(number: u32) -> ChildStep {
        ChildStep::ALL.into_iter().find(|s| *s as u32 == number).unwrap_or(ChildStep::Exec)
    }
}
