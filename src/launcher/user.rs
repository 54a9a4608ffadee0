//! The account that a container runs as.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::error::{Error, Result};
use crate::sys::Credentials;

/// An account, resolved by NSS before anything is forked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name as in the record; None: that of the caller.
    pub name: Option<String>,
    /// What to change to; None: nothing is to be changed.
    pub credentials: Option<Credentials>,
}

impl Account {
    /// Owner and group of the container's files.
    pub fn owner(&self) -> (Uid, Gid) {
        match &self.credentials {
            Some(c) => (Uid::from_raw(c.uid), Gid::from_raw(c.gid)),
            None => (geteuid(), nix::unistd::getegid()),
        }
    }
}

/// Resolves `name` with its primary and supplementary groups from the system's databases.
///
/// # Errors
/// When there is no such user, the databases cannot be read, or changing to it would need root.
pub fn account(name: Option<&str>) -> Result<Account> {
    let Some(name) = name else {
        return Ok(Account { name: None, credentials: None });
    };
    if name.is_empty() {
        return Err(Error::Refused("the record's user is empty: it names nobody to run as".into()));
    }
    let shown = name.escape_default();
    let lookup = |source: nix::Error| Error::Child {
        step: "look up",
        subject: format!("the user {shown}"),
        source: source.into(),
    };
    let user = User::from_name(name).map_err(lookup)?.ok_or_else(|| {
        Error::Refused(format!(
            "user {shown} is not known on this host: add the account, or let the framework use another"
        ))
    })?;
    if !geteuid().is_root() {
        if user.uid == geteuid() {
            return Ok(Account { name: Some(name.into()), credentials: None });
        }
        return Err(Error::Refused(format!(
            "cannot run as {shown}: mesos-ecp runs as uid {} and only root can change the user; run the agent as root or with \
             --no-switch_user",
            geteuid()
        )));
    }
    let text = CString::new(name).map_err(|_| Error::Refused("the user's name contains a NUL byte".into()))?;
    // Asking every source for root's groups loads their libraries, which takes a tenth of a launch. No group of a directory
    // service gives root anything that it has not; those of this host are kept for what goes by their names.
    let groups = match user.uid.is_root().then(|| local_groups(Path::new("/etc/group"), name, user.gid)).flatten() {
        Some(groups) => groups,
        None => getgrouplist(&text, user.gid).map_err(lookup)?,
    };
    let credentials = Credentials {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.iter().map(|g| g.as_raw()).collect(),
    };
    Ok(Account { name: Some(name.into()), credentials: Some(credentials) })
}

/// `primary` and the groups of the group file (group(5)) that list `name` as a member; None when it cannot be read.
pub(super) fn local_groups(file: &Path, name: &str, primary: Gid) -> Option<Vec<Gid>> {
    let text = std::fs::read(file).ok()?;
    let mut groups = vec![primary];
    for line in String::from_utf8_lossy(&text).lines() {
        let mut fields = line.split(':').skip(2);
        let (Some(gid), Some(members)) = (fields.next().and_then(|g| g.parse().ok()), fields.next()) else { continue };
        let gid = Gid::from_raw(gid);
        if members.split(',').any(|member| member.trim() == name) && !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    Some(groups)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn groups_of_a_group_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("group");
        let text = "root:x:0:\nadm:x:4:syslog,root\n# comment\nbad:x:y:root\nsudo:x:27:rooty\nroot2:x:0:root\ndocker:x:99:root\n";
        std::fs::write(&file, text).unwrap();
        let groups: Vec<u32> =
            local_groups(&file, "root", Gid::from_raw(0)).unwrap().iter().map(|g| g.as_raw()).collect();
        assert_eq!(groups, [0, 4, 99]);
        assert_eq!(local_groups(Path::new("/nonexistent"), "root", Gid::from_raw(0)), None);
        if geteuid().is_root() {
            let database = getgrouplist(c"root", Gid::from_raw(0)).unwrap();
            let mut own = account(Some("root")).unwrap().credentials.unwrap().groups;
            let mut database: Vec<u32> = database.iter().map(|g| g.as_raw()).collect();
            own.sort_unstable();
            database.sort_unstable();
            assert_eq!(own, database, "on a host without a directory service it is the same");
        }
    }

    #[test]
    fn unknown_users_are_named() {
        let error = account(Some("nobody-of-this-name")).unwrap_err().to_string();
        assert!(error.contains("nobody-of-this-name is not known"), "{error}");
        assert_eq!(account(None).unwrap().credentials, None);
    }
}
