//! Which device files the processes of a cgroup may use: by control files of v1 (kernel document cgroup-v1/devices), by a
//! program of v2 (kernel document cgroup-v2, "Device controller"), with the same rules and the same outcome.
#![forbid(unsafe_code)]

mod program;
mod rule;

use std::io::Write;
use std::os::fd::AsFd;

use nix::fcntl::OFlag;

use super::Cgroup;
use crate::error::{Error, Result};
use crate::sys::{attach_device_program, load_device_program};

pub use rule::{Access, Kind, Rule};

/// Lets a v1 cgroup, and all that will be below it, use nothing but these devices. All is denied first, so that one which is
/// left half done is too narrow and never too wide.
///
/// # Errors
/// The kernel's, with the rule: EPERM for one that the cgroup above does not have, EINVAL for processes in cgroups below.
pub fn allow_only_v1(cgroup: &Cgroup, rules: &[Rule]) -> Result<()> {
    cgroup.write("devices.deny", "a")?;
    let mut file = cgroup.file("devices.allow", OFlag::O_WRONLY)?;
    for rule in rule::merged(rules) {
        let value = rule.to_string();
        // One write(2) for each: the kernel reads one rule in it.
        file.write(value.as_bytes()).map_err(|source| Error::Control {
            path: cgroup.path().join("devices.allow"),
            value,
            source,
        })?;
    }
    Ok(())
}

/// Lets a v2 cgroup, and all that will be below it, use nothing but these devices. Programs above are asked as well. It
/// lasts as long as the cgroup.
///
/// # Errors
/// When the kernel does not take the program.
pub fn allow_only_v2(cgroup: &Cgroup, rules: &[Rule]) -> Result<()> {
    let program = load_device_program(&program::of(&rule::merged(rules))).map_err(|e| {
        Error::Refused(format!(
            "not available here because the kernel does not take a BPF program that decides about devices: {e} (it needs \
             CONFIG_CGROUP_BPF, CAP_SYS_ADMIN or CAP_BPF and CAP_NET_ADMIN, and before Linux 5.11 room under RLIMIT_MEMLOCK)"
        ))
    })?;
    attach_device_program(cgroup.as_fd(), program.as_fd())
        .map_err(Error::path("attach a program for devices to the cgroup", cgroup.path()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn v1_denies_first_and_writes_each_rule() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("devices.deny"), "").unwrap();
        let cgroup = Cgroup::open(dir.path()).unwrap();
        let rules = [Rule::number(Kind::Char, 1, 3, Access::ALL), Rule::any(Kind::Block, Access::MKNOD)];
        // With nothing to allow by, all stays denied.
        assert!(allow_only_v1(&cgroup, &rules).unwrap_err().is_not_found());
        assert_eq!(fs::read_to_string(path("devices.deny")).unwrap(), "a");
        fs::write(path("devices.allow"), "").unwrap();
        allow_only_v1(&cgroup, &rules).unwrap();
        assert_eq!(fs::read_to_string(path("devices.allow")).unwrap(), "c 1:3 rwmb *:* m");
    }

    #[test]
    fn a_directory_that_is_no_cgroup_gets_no_program() {
        let dir = tempfile::tempdir().unwrap();
        let cgroup = Cgroup::open(dir.path()).unwrap();
        assert!(allow_only_v2(&cgroup, &[]).is_err());
    }
}
