//! What else is to be done for a container with a user namespace: the ids that its things have outside.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::{Gid, Uid};

use crate::config::IdRange;
use crate::error::{Error, Result};
use crate::isolator::{Preparation, Source, UserNamespace, mount};
use crate::launcher::{Account, Sandbox};
use crate::sys::Credentials;

/// Whom the container's user is outside; None: nothing is to be given to anybody.
pub(super) fn owner(ids: Option<IdRange>, account: &Account) -> Option<(Uid, Gid)> {
    let (uid, gid) = account.owner();
    match ids {
        None => account.credentials.as_ref().map(|_| (uid, gid)),
        // One that does not fit is refused by the isolator's plan.
        Some(ids) => {
            ids.outside(uid.as_raw()).zip(ids.outside(gid.as_raw())).map(|(u, g)| (Uid::from_raw(u), Gid::from_raw(g)))
        }
    }
}

/// What the first process changes to. In a user namespace nobody keeps what the agent has.
pub(super) fn credentials<'a>(ids: Option<IdRange>, account: &'a Account) -> Option<Cow<'a, Credentials>> {
    let (uid, gid) = account.owner();
    match (&account.credentials, ids) {
        (Some(credentials), _) => Some(Cow::Borrowed(credentials)),
        (None, Some(_)) => {
            Some(Cow::Owned(Credentials { uid: uid.as_raw(), gid: gid.as_raw(), groups: vec![gid.as_raw()] }))
        }
        (None, None) => None,
    }
}

/// Lets everything of the container's that is to be mounted, and its output, show the owners that it has for the namespace.
///
/// # Errors
/// What cannot be had together with a user namespace, or only with danger for the host.
pub(super) fn map(preparation: &Preparation, sandbox: &mut Sandbox, owner: Option<(Uid, Gid)>) -> Result<()> {
    let Some(user) = &preparation.user else {
        return Ok(());
    };
    if preparation.root.is_some() {
        return Err(Error::Refused(
            "a root directory of the container's own and the isolator namespaces/user do not go together yet: its files would be \
             nobody's inside; leave one of them out"
                .into(),
        ));
    }
    for mount in &preparation.mounts {
        if let Source::Mapped(tree) = &mount.source {
            map_one(user, tree.as_fd(), &mount.what)?;
        }
    }
    let own =
        mount::open_tree(sandbox.directory.as_fd(), false).map_err(Error::system("make a mount of the sandbox"))?;
    map_one(user, own.as_fd(), "the sandbox")?;
    sandbox.open_again_in(own.as_fd(), owner)
}

fn map_one(user: &UserNamespace, tree: BorrowedFd<'_>, what: &str) -> Result<()> {
    let flags = fstatvfs(tree).map_err(Error::system("look at a mount"))?.flags();
    // What root makes there is root's on the disk: a set-user-id file of it would be a way to root for everybody on the host.
    if user.keeps_root && !flags.intersects(FsFlags::ST_NOSUID | FsFlags::ST_RDONLY) {
        return Err(Error::Refused(format!(
            "{what} is on a mount without nosuid: a set-user-id program that root makes there in a container with a user \
             namespace would be root's on the host; mount it nosuid (mount --bind DIR DIR && mount -o remount,bind,nosuid DIR, with \
             the agent's work_dir for DIR), or let the framework use another user than root"
        )));
    }
    mount::set_id_map(tree, user.files.as_fd()).map_err(|source| Error::Child {
        step: "show the files of",
        subject: format!(
            "{what} to a user namespace (is its file system one that knows idmapped mounts? ext4 and xfs do, tmpfs since \
             Linux 6.3, overlay and nfs do not)"
        ),
        source,
    })
}
