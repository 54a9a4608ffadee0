//! Which project ids are free, and who gets one.
//!
//! Which ones are taken is what the kernel accounts to them: an id is free again when the last file of it is deleted, and there
//! is nothing to be remembered or lost.
#![forbid(unsafe_code)]

use super::facts::Project;
use super::mark::mark;
use super::spot::Spot;
use crate::config::ProjectRange;
use crate::error::{Error, Result};
use crate::sys;

/// Makes a directory with all that is in it a project of its own.
///
/// # Errors
/// No id is free; those of the kernel.
pub(super) fn claim(spot: &Spot, range: &ProjectRange) -> Result<u32> {
    let id = take(spot, range)?;
    mark(spot, id)?;
    Ok(id)
}

/// The same, but one that has an id of ours already keeps it. Its users may have given it another, of whomever they like: that one
/// it does not keep.
///
/// # Errors
/// As [`claim`].
pub(super) fn keep_or_claim(spot: &Spot, range: &ProjectRange) -> Result<u32> {
    let project = spot.project()?;
    let is_ours = range.contains(project.id) && spot.noted()? == Some(project.id);
    let id = if is_ours { project.id } else { take(spot, range)? };
    if !is_ours {
        spot.note(id)?;
    }
    // Else it was cut short.
    if !is_ours || !project.inherited {
        mark(spot, id)?;
    }
    Ok(id)
}

/// Gives the directory the lowest id that is free, by which that is free no more. It is not inherited yet: that comes with the
/// last step, and tells that there was one.
fn take(spot: &Spot, range: &ProjectRange) -> Result<u32> {
    let _lock = spot.lock()?;
    let is_free = |id| spot.quota(id).map(|quota| quota.used == 0 && quota.inodes == 0);
    // Who has another /run has another lock. As long as we may not be alone the limit is not ours to change: one that a crash has
    // left does not keep root from making the directory one of it, and ours replaces it.
    let is_alone = |id| {
        spot.become_of(sys::Project { id, inherited: false })?;
        Ok(spot.quota(id)?.inodes <= 1)
    };
    if let Some(id) = lowest(range, is_free, is_alone)? {
        return Ok(id);
    }
    if range.contains(spot.project()?.id) {
        spot.become_of(sys::Project { id: 0, inherited: false })?;
    }
    Err(Error::Refused(format!(
        "no project id is free: all {} of --xfs_project_range={range} are in use on the file system of {}; an id is in use until the \
         agent has deleted the sandbox or volume that has it, so widen the range or let the agent delete old sandboxes sooner \
         (its --gc_delay); `xfs_quota -x -c 'report -p -n -i'` lists the ids with the number of their files",
        range.ids().count(),
        spot.path().display()
    )))
}

/// The first id that is free and could be taken.
fn lowest(
    range: &ProjectRange,
    mut is_free: impl FnMut(u32) -> Result<bool>,
    mut take: impl FnMut(u32) -> Result<bool>,
) -> Result<Option<u32>> {
    for id in range.ids() {
        if is_free(id)? && take(id)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether the directory still is of this project, with what will be made in it. Its owner may change both, unless a filter of
/// system calls forbids it.
///
/// # Errors
/// When it is not.
pub(super) fn confirm(spot: &Spot, project: &Project) -> Result<()> {
    let found = spot.project()?;
    let what = if found.id != project.id {
        format!("changed the project id of {} from {} to {}", spot.path().display(), project.id, found.id)
    } else if !found.inherited {
        format!("taken from {} that what is made in it gets its project id (`chattr -P`)", spot.path().display())
    } else {
        return Ok(());
    };
    Err(Error::Refused(format!("somebody has {what}: its quota does not hold any more")))
}

/// Takes a project's limits away. One whose directory is gone, or of another project, is left alone: its id may be somebody
/// else's by now, and who gets it sets limits of their own.
///
/// # Errors
/// Those of the kernel.
pub(super) fn release(project: &Project) -> Result<()> {
    let spot = match Spot::again(project.path()) {
        Err(e) if e.is_not_found() => return Ok(()),
        spot => spot?,
    };
    // As long as this directory is open, nobody gets its id.
    if spot.project()?.id == project.id {
        spot.limit(project.id, (0, 0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings, Untrusted};

    #[test]
    fn the_lowest_that_is_free_and_can_be_had() {
        let (config, _) = Config::resolve(&Settings::default(), std::iter::empty(), &Untrusted::default()).unwrap();
        let range = config.disk.xfs_project_range;
        let find = |used: &[u32], lost: &[u32]| {
            lowest(&range, |id| Ok(!used.contains(&id)), |id| Ok(!lost.contains(&id))).unwrap()
        };
        assert_eq!(find(&[], &[]), Some(5000));
        assert_eq!(find(&[5000, 5002], &[]), Some(5001));
        assert_eq!(find(&[5000], &[5001]), Some(5002));
        assert_eq!(find(&range.ids().collect::<Vec<_>>(), &[]), None);
        let broken = |_| Err(Error::Refused("broken".into()));
        assert!(lowest(&range, broken, |_| Ok(true)).is_err());
    }
}
