//! Which of a container's directories are projects, and what may be used of them.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use super::super::quota::{Place, Quota, quotas};
use super::facts::Facts;
use crate::error::Result;
use crate::isolator::Container;

/// How much more than its quota a container can use before its writes fail, if it is to be ended for the excess: it has to get
/// there to be seen.
const EXCESS: u64 = 10 << 20;

/// A directory that is to be a project.
#[derive(Debug)]
pub(super) struct Wanted {
    /// On the host.
    pub(super) path: PathBuf,
    pub(super) quota: Quota,
}

/// The sandbox, and those volumes whose quota is to be enforced; a directory that is there twice once, with the sum.
///
/// # Errors
/// A resource with a volume that is none.
pub(super) fn wanted(container: &Container<'_>, work_dir: Option<&Path>, facts: &Facts) -> Result<Vec<Wanted>> {
    let mut all: Vec<Wanted> = Vec::new();
    for quota in quotas(container, work_dir)? {
        let path = match &quota.place {
            Place::Sandbox(path) => path.clone(),
            Place::Volume(_) if !(facts.enforce && quota.enforceable && quota.limit.is_some()) => continue,
            Place::Volume(directory) => directory.path()?,
        };
        match all.iter_mut().find(|other| other.path == path) {
            Some(same) => {
                same.quota.limit =
                    same.quota.limit.zip(quota.limit).map(|(a, b)| a.saturating_add(b)).or(same.quota.limit);
            }
            None => all.push(Wanted { path, quota }),
        }
    }
    Ok(all)
}

/// The soft and the hard limit of a project, in bytes; 0: none.
pub(super) fn limits(quota: Option<u64>, facts: &Facts) -> (u64, u64) {
    let Some(quota) = quota.filter(|_| facts.enforce) else {
        return (0, 0);
    };
    // 0 would be none, and the kernel multiplies without a care.
    let soft = quota.clamp(1, i64::MAX as u64);
    (soft, if facts.kill { soft + EXCESS } else { soft })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_what_the_flags_say() {
        let facts = |enforce, kill| Facts { enforce, kill, ..Facts::default() };
        let quota = Some(3 << 20);
        assert_eq!(limits(quota, &facts(false, false)), (0, 0));
        assert_eq!(limits(None, &facts(true, true)), (0, 0));
        assert_eq!(limits(quota, &facts(true, false)), (3 << 20, 3 << 20));
        assert_eq!(limits(quota, &facts(true, true)), (3 << 20, 13 << 20));
        assert_eq!(limits(Some(0), &facts(true, false)), (1, 1), "nothing is not without limit");
        assert_eq!(limits(Some(u64::MAX), &facts(true, false)).1, i64::MAX as u64);
    }
}
