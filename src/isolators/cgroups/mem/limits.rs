//! How much memory: from the resources to the control files.
#![forbid(unsafe_code)]

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::protocol::mesos::Resource;
use crate::protocol::resources::mem_bytes;

/// Bytes that every container gets, as with the built-in containerizer.
const LEAST: u64 = 32 << 20;

/// v1: memory.
const HARD: &str = "memory.limit_in_bytes";
/// v1: what is above it goes first when the host is short of memory.
const SOFT: &str = "memory.soft_limit_in_bytes";
/// v1: memory and swap together; never less than [`HARD`].
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

/// v2: memory.
const MAX: &str = "memory.max";
/// v2: what is above it goes first when the host is short of memory.
const LOW: &str = "memory.low";
/// v2: swap alone.
const SWAP_MAX: &str = "memory.swap.max";

/// The limit in bytes for these resources.
///
/// # Errors
/// When they name no memory. The built-in isolator refuses that, too.
pub(super) fn wanted(resources: &[Resource]) -> Result<u64> {
    mem_bytes(resources).map(|bytes| bytes.max(LEAST)).ok_or_else(|| {
        Error::Refused("the resources have no usable amount of mem, so there is nothing to limit memory to".into())
    })
}

/// Limits a cgroup that is still empty and unlimited.
///
/// # Errors
/// The kernel's, and that it does not count swap where that is to be limited.
pub(super) fn set_v1(cgroup: &Cgroup, limit: u64, with_swap: bool) -> Result<()> {
    let limit = limit.to_string();
    cgroup.write(SOFT, &limit)?;
    // The kernel keeps memory below memory and swap at all times: on the way down memory goes first.
    cgroup.write(HARD, &limit)?;
    if with_swap {
        cgroup.write(WITH_SWAP, &limit).map_err(no_swap_accounting)?;
    }
    Ok(())
}

/// The same with v2, where swap is limited by itself: none makes both together no more than memory alone.
///
/// # Errors
/// As [`set_v1`].
pub(super) fn set_v2(cgroup: &Cgroup, limit: u64, with_swap: bool) -> Result<()> {
    let limit = limit.to_string();
    cgroup.write(LOW, &limit)?;
    cgroup.write(MAX, &limit)?;
    if with_swap {
        cgroup.write(SWAP_MAX, "0").map_err(no_swap_accounting)?;
    }
    Ok(())
}

/// Limits a cgroup that is in use. The hard limit only ever rises: processes that have more already would be killed. Whether
/// swap was limited at launch is seen by its limit, since this call's flags may be others.
///
/// # Errors
/// The kernel's.
pub(super) fn change_v1(cgroup: &Cgroup, limit: u64) -> Result<()> {
    let value = limit.to_string();
    cgroup.write(SOFT, &value)?;
    if cgroup.number(HARD)? >= limit {
        return Ok(());
    }
    match cgroup.number(WITH_SWAP) {
        // On the way up memory and swap goes first.
        Ok(now) if now < limit => cgroup.write(WITH_SWAP, &value)?,
        Err(e) if !e.is_not_found() => return Err(e),
        _ => {}
    }
    cgroup.write(HARD, &value)
}

/// The same with v2. Swap's limit does not depend on memory's.
///
/// # Errors
/// The kernel's.
pub(super) fn change_v2(cgroup: &Cgroup, limit: u64) -> Result<()> {
    let value = limit.to_string();
    cgroup.write(LOW, &value)?;
    if cgroup.number(MAX)? >= limit { Ok(()) } else { cgroup.write(MAX, &value) }
}

fn no_swap_accounting(error: Error) -> Error {
    if !error.is_not_found() {
        return error;
    }
    Error::Refused(format!(
        "--cgroups_limit_swap: {error}: this kernel does not count swap; start it with swapaccount=1 or leave the flag out"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::mesos::value::Scalar;
    use std::fs;

    const V1: &[&str] = &[SOFT, HARD, WITH_SWAP];
    const V2: &[&str] = &[LOW, MAX, SWAP_MAX];

    fn mem(megabytes: &[f64]) -> Vec<Resource> {
        let one = |value: &f64| Resource {
            name: "mem".into(),
            scalar: Some(Scalar { value: *value }),
            ..Resource::default()
        };
        megabytes.iter().map(one).collect()
    }

    /// A cgroup with these files, each with `value` in it.
    fn fake(files: &[&str], value: &str) -> (tempfile::TempDir, Cgroup) {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|file| fs::write(dir.path().join(file), value).unwrap());
        let cgroup = Cgroup::open(dir.path()).unwrap();
        (dir, cgroup)
    }

    fn values(cgroup: &Cgroup, files: &[&str]) -> Vec<String> {
        files.iter().map(|file| cgroup.read(file).unwrap_or_else(|_| "none".into())).collect()
    }

    #[test]
    fn all_entries_count_and_32_mb_are_the_least() {
        assert_eq!(wanted(&mem(&[100.0, 32.0])).unwrap(), 138_412_032);
        assert_eq!(wanted(&mem(&[1.0])).unwrap(), 32 << 20);
        assert_eq!(wanted(&mem(&[0.0])).unwrap(), 32 << 20);
        assert_eq!(wanted(&mem(&[32.5])).unwrap(), 65 << 19);
        for unusable in [&[][..], &[-1.0], &[f64::NAN]] {
            assert!(wanted(&mem(unusable)).unwrap_err().to_string().contains("mem"), "{unusable:?}");
        }
    }

    #[test]
    fn swap_is_limited_only_if_asked_for() {
        let (_dir, v1) = fake(V1, "");
        set_v1(&v1, 64, false).unwrap();
        assert_eq!(values(&v1, V1), ["64", "64", ""]);
        set_v1(&v1, 64, true).unwrap();
        assert_eq!(values(&v1, V1), ["64", "64", "64"]);
        let (_dir, v2) = fake(V2, "");
        set_v2(&v2, 64, false).unwrap();
        assert_eq!(values(&v2, V2), ["64", "64", ""]);
        set_v2(&v2, 64, true).unwrap();
        assert_eq!(values(&v2, V2), ["64", "64", "0"]);
    }

    #[test]
    fn a_kernel_that_does_not_count_swap_is_told_of() {
        let (_dir, v1) = fake(&[SOFT, HARD], "");
        let (_dir, v2) = fake(&[LOW, MAX], "");
        for error in [set_v1(&v1, 64, true), set_v2(&v2, 64, true)] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("--cgroups_limit_swap") && error.contains("swapaccount=1"), "{error}");
        }
        set_v1(&v1, 64, false).unwrap();
        set_v2(&v2, 64, false).unwrap();
        change_v1(&v1, 99).unwrap();
        change_v2(&v2, 99).unwrap();
        assert_eq!(
            (values(&v1, V1), values(&v2, V2)),
            (vec!["99".into(), "99".into(), "none".into()], vec!["99".into(), "99".into(), "none".into()])
        );
    }

    #[test]
    fn the_hard_limit_is_only_raised_and_the_soft_one_follows() {
        for (files, change) in [(V1, change_v1 as fn(&Cgroup, u64) -> Result<()>), (V2, change_v2)] {
            let (_dir, cgroup) = fake(files, "50");
            change(&cgroup, 40).unwrap();
            assert_eq!(values(&cgroup, &files[..2]), ["40", "50"]);
            change(&cgroup, 60).unwrap();
            assert_eq!(values(&cgroup, &files[..2]), ["60", "60"]);
            let swap = if files == V1 { "60" } else { "50" };
            assert_eq!(values(&cgroup, &files[2..]), [swap]);
        }
        let (dir, cgroup) = fake(V1, "50");
        fs::write(dir.path().join(WITH_SWAP), "99").unwrap();
        change_v1(&cgroup, 60).unwrap();
        assert_eq!(values(&cgroup, V1), ["60", "60", "99"], "swap was not limited to this");
        let (_dir, cgroup) = fake(V2, "max");
        change_v2(&cgroup, 111).unwrap();
        assert_eq!(values(&cgroup, V2), ["111", "max", "max"]);
    }
}
