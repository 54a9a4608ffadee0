//! What the launcher is to do for isolators, and how what several of them want becomes one.
#![forbid(unsafe_code)]

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Facts;
use crate::error::{Error, Result};
use crate::sys::{Capabilities, Init, Mount, Privileges, Root, Stage};

/// What the launcher is to do for an isolator.
#[derive(Debug, Default)]
pub struct Preparation {
    /// Facts that are known only now; None: those of `plan` stand.
    pub facts: Option<Facts>,
    /// Added to the container's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// CLONE_NEW* flags for the first process.
    pub namespaces: u64,
    /// Done by the first process in a mount namespace of its own, which it gets if there is any, by stage and then in the
    /// order of the isolators. Nothing of it is seen outside, and it ends with the last process of the namespace.
    pub mounts: Vec<Mount>,
    /// The container's root directory; None: the host's. Only one isolator may have one.
    pub root: Option<Root>,
    /// Where the container sees its sandbox; None: where the host has it. Only one isolator may say so.
    pub sandbox: Option<PathBuf>,
    /// What is process 1 of a pid namespace in place of the executor, whose parent it is. Only one isolator may say so.
    pub init: Option<Init>,
    /// A user namespace, and who owns files in it. Only one isolator may have one.
    pub user: Option<UserNamespace>,
    /// A program by its absolute path, and arguments, that stand in front of the command. Of several isolators the first one's is
    /// executed first, and executes the next one's.
    pub argv: Vec<OsString>,
    /// For a UTS namespace.
    pub hostname: Option<CString>,
    /// What the container may do. Of several isolators the stricter holds.
    pub privileges: Privileges,
    /// For `privileges.seccomp`, where it depends on what the other isolators want. Only one isolator may have one.
    pub filter: Option<Filter>,
}

/// A filter of system calls that is made when all isolators have prepared.
pub struct Filter(Make);

type Make = Box<dyn FnOnce(u64) -> Result<Vec<libc::sock_filter>>>;

impl Filter {
    /// `make` gets the capabilities that the container's processes can have at most, one bit for each by its number.
    pub fn new(make: impl FnOnce(u64) -> Result<Vec<libc::sock_filter>> + 'static) -> Filter {
        Filter(Box::new(make))
    }

    pub(crate) fn make(self, capabilities: u64) -> Result<Vec<libc::sock_filter>> {
        (self.0)(capabilities)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

/// A user namespace for the container. The first process enters it when all that takes the host's root is done, and then
/// becomes the container's user.
#[derive(Debug)]
pub struct UserNamespace {
    /// The namespace: the container's ids from 0 on are those of [`Isolator::ids`](super::Isolator::ids).
    pub namespace: OwnedFd,
    /// One by which every [`Source::Mapped`](crate::sys::Source::Mapped) is mapped: inside it is what is on the disk.
    pub files: OwnedFd,
    /// Whether it makes files of root's on the disk out of those of the container's root: they must then be where set-user-id
    /// means nothing.
    pub keeps_root: bool,
}

impl Preparation {
    /// Takes in what the next isolator prepared, its facts aside.
    ///
    /// # Errors
    /// Two isolators want what only one can have.
    pub(crate) fn merge(&mut self, next: Preparation) -> Result<()> {
        self.environment.extend(next.environment);
        self.namespaces |= next.namespaces;
        // One isolator may have them in each other.
        let others = self.mounts.len();
        for mount in next.mounts {
            // /proc is wanted by who has a pid namespace and by who has a root directory.
            if self.mounts.iter().any(|known| known.is_same(&mount)) {
                continue;
            }
            if let Some(other) = self.mounts.iter().take(others).find(|known| in_each_others_way(known, &mount)) {
                return Err(Error::Refused(format!(
                    "two isolators in --isolation want to mount something in one place, {} and {}: leave one out",
                    other.what, mount.what
                )));
            }
            self.mounts.push(mount);
        }
        self.argv.extend(next.argv);
        only_one("a root directory", &mut self.root, next.root)?;
        only_one("a place for the sandbox", &mut self.sandbox, next.sandbox)?;
        only_one("an init", &mut self.init, next.init)?;
        only_one("a user namespace", &mut self.user, next.user)?;
        only_one("a hostname", &mut self.hostname, next.hostname)?;
        only_one("a filter of system calls", &mut self.filter, next.filter)?;
        let (all, next) = (&mut self.privileges, next.privileges);
        all.no_new_privileges |= next.no_new_privileges;
        all.rlimits.extend(next.rlimits);
        only_one("a filter of system calls", &mut all.seccomp, next.seccomp)?;
        all.capabilities = match (all.capabilities, next.capabilities) {
            (Some(a), Some(b)) => Some(Capabilities {
                bounding: a.bounding & b.bounding,
                permitted: a.permitted & b.permitted,
                ambient: a.ambient & b.ambient,
            }),
            (a, b) => a.or(b),
        };
        Ok(())
    }
}

/// Volumes of different isolators, one over the other or within it: which of them is seen would depend on their order.
fn in_each_others_way(one: &Mount, other: &Mount) -> bool {
    let path = |mount: &'_ Mount| PathBuf::from(OsStr::from_bytes(mount.at.as_bytes()));
    let volumes = one.stage == Stage::Volume && other.stage == Stage::Volume;
    volumes && (path(one).starts_with(path(other)) || path(other).starts_with(path(one)))
}

fn only_one<T>(what: &str, all: &mut Option<T>, next: Option<T>) -> Result<()> {
    if all.is_some() && next.is_some() {
        return Err(Error::Refused(format!(
            "two isolators in --isolation want to give the container {what}: leave one out"
        )));
    }
    *all = all.take().or(next);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_volumes_are_not_put_in_one_place() {
        use crate::sys::Source;
        let with = |stage, at: &str| Preparation {
            mounts: vec![Mount {
                stage,
                what: format!("the volume {at}"),
                at: CString::new(at).unwrap(),
                source: Source::ReadOnly,
            }],
            ..Preparation::default()
        };
        for (second, refused) in [("/a/b", true), ("/a/b/c", true), ("/a", true), ("/a/bc", false), ("/c", false)] {
            let mut all = Preparation::default();
            all.merge(with(Stage::Volume, "/a/b")).unwrap();
            let merged = all.merge(with(Stage::Volume, second));
            assert_eq!(merged.is_err(), refused, "{second}");
            if let Err(e) = merged {
                assert!(e.to_string().contains(&format!("the volume /a/b and the volume {second}")), "{e}");
            }
            all.merge(with(Stage::Mask, "/a/b")).unwrap();
        }
        let mut nested = with(Stage::Volume, "/c");
        nested.mounts.extend(with(Stage::Volume, "/c/d").mounts);
        let mut all = with(Stage::Volume, "/a/b");
        all.merge(nested).unwrap();
        assert_eq!(all.mounts.len(), 3, "one isolator may have them in each other");
    }

    #[test]
    fn two_roots_are_refused() {
        use crate::sys::Content;
        let with = || Preparation {
            root: Some(Root { at: c"/mnt".into(), content: Content::Tree(std::fs::File::open("/").unwrap().into()) }),
            ..Preparation::default()
        };
        let mut all = Preparation::default();
        all.merge(with()).unwrap();
        all.merge(Preparation::default()).unwrap();
        let error = all.merge(with()).unwrap_err().to_string();
        assert!(error.contains("two isolators") && error.contains("a root directory"), "{error}");
    }

    #[test]
    fn the_first_isolators_program_goes_first() {
        let with =
            |argv: &[&str]| Preparation { argv: argv.iter().map(Into::into).collect(), ..Preparation::default() };
        let mut all = Preparation::default();
        all.merge(with(&["/bin/nice", "-n5"])).unwrap();
        all.merge(with(&["/bin/env"])).unwrap();
        assert_eq!(all.argv, ["/bin/nice", "-n5", "/bin/env"]);
    }

    #[test]
    fn the_stricter_holds_and_there_is_one_of_each() {
        let with = |bounding, nnp| Preparation {
            privileges: Privileges {
                capabilities: Some(Capabilities { bounding, permitted: 7, ambient: 0 }),
                no_new_privileges: nnp,
                ..Privileges::default()
            },
            hostname: Some(c"name".into()),
            ..Preparation::default()
        };
        let mut all = Preparation::default();
        all.merge(with(6, true)).unwrap();
        all.merge(Preparation { hostname: None, ..with(3, false) }).unwrap();
        assert_eq!(all.privileges.capabilities, Some(Capabilities { bounding: 2, permitted: 7, ambient: 0 }));
        assert!(all.privileges.no_new_privileges);
        let error = all.merge(with(1, false)).unwrap_err().to_string();
        assert!(error.contains("two isolators") && error.contains("hostname"), "{error}");
    }
}
