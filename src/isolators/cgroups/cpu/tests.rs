//! Both versions on trees of plain files, which keep what is written to them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use super::*;
use crate::container::ContainerId;
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::mesos::{Resource, value};
use crate::protocol::state::{Checkpoint, Hierarchy, Process};

struct Host {
    dir: tempfile::TempDir,
    id: ContainerId,
    cgroups: Cgroups,
}

impl Host {
    /// A container with cgroups in one co-mounted hierarchy, or in v2.
    fn new(unified: bool, files: &[(&str, &str)]) -> Host {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("m/c1")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join("m/c1").join(name), text).unwrap();
        }
        let hierarchy = Hierarchy {
            mount_point: dir.path().to_str().unwrap().to_owned(),
            unified: Some(unified),
            controllers: vec!["cpu".into(), "cpuacct".into()],
        };
        let checkpoint =
            Checkpoint { hierarchies: vec![hierarchy], cgroups_root: Some("m".into()), ..Checkpoint::default() };
        Host { dir, id: ContainerId::new("c1").unwrap(), cgroups: Cgroups::of_checkpoint(&checkpoint, "c1") }
    }

    fn with<T>(&self, amount: f64, call: impl FnOnce(&Container<'_>) -> T) -> T {
        let scalar = Some(value::Scalar { value: amount });
        call(&Container {
            id: &self.id,
            sandbox: Path::new("/"),
            user: None,
            asked: None,
            resources: &[Resource { name: "cpus".into(), scalar, ..Resource::default() }],
            unread: None,
            first: None,
            owner: &Process::default(),
            adopted: false,
            cgroups: &self.cgroups,
            ended: None,
            state: None,
            proc: &Proc::default(),
            mark: None,
            seen: Default::default(),
            members: OnceCell::new(),
        })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("m/c1").join(name)
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The files must exist, as the kernel's do; empty files show what was not written.
    fn prepared(unified: bool, cfs: bool, amount: f64) -> (Host, Facts) {
        let files = ["cpu.shares", "cpu.cfs_quota_us", "cpu.weight", "cpu.max"].map(|name| (name, ""));
        let host = Host::new(unified, &files);
        let facts = host.with(amount, |c| {
            let facts = cpu(cfs, false).plan(c).unwrap();
            cpu(cfs, false).prepare(c, &facts).unwrap();
            facts
        });
        (host, facts)
    }
}

fn cpu(cfs: bool, count_members: bool) -> Cpu {
    Cpu { cfs, revocable_low_priority: true, count_members }
}

#[test]
fn nothing_is_written_that_is_the_default() {
    for unified in [false, true] {
        let (host, facts) = Host::prepared(unified, false, 1.0);
        let written = ["cpu.shares", "cpu.cfs_quota_us", "cpu.weight", "cpu.max"].map(|name| host.file(name));
        assert!(written.iter().all(String::is_empty) && facts.is_empty(), "{written:?}");
    }
}

#[test]
fn each_version_has_files_of_its_own() {
    let (host, _) = Host::prepared(false, true, 0.6);
    assert_eq!((host.file("cpu.shares"), host.file("cpu.cfs_quota_us")), ("614".into(), "60000".into()));
    let (host, _) = Host::prepared(true, true, 0.6);
    assert_eq!((host.file("cpu.weight"), host.file("cpu.max")), ("60".into(), "60000 100000".into()));
    assert_eq!(host.file("cpu.shares"), "");
}

#[test]
fn a_quota_comes_follows_and_goes_with_the_flag() {
    for (unified, file, first, lifted, second) in [
        (false, "cpu.cfs_quota_us", "60000", "-1", "200000"),
        (true, "cpu.max", "60000 100000", "max", "200000 100000"),
    ] {
        let (host, mut facts) = Host::prepared(unified, true, 0.6);
        let content = || host.file(file).chars().take(lifted.len().max(20)).collect::<String>();
        assert_eq!(content(), first);
        let update = |cfs: bool, amount: f64, facts: &mut Facts| {
            fs::write(host.path(file), "").unwrap();
            if let Some(new) = host.with(amount, |c| cpu(cfs, false).update(c, facts)).unwrap() {
                *facts = new;
            }
        };
        update(false, 2.0, &mut facts);
        assert_eq!(content(), lifted);
        update(false, 2.0, &mut facts);
        assert_eq!(content(), "", "what is lifted is not lifted again: it may be somebody else's now");
        update(true, 2.0, &mut facts);
        assert_eq!(content(), second);
        update(true, 0.6, &mut facts);
        assert_eq!(content(), first);
    }
}

#[test]
fn a_kernel_without_bandwidth_control_is_told_so() {
    let host = Host::new(false, &[("cpu.shares", "")]);
    let error = host.with(0.5, |c| cpu(true, false).prepare(c, &QUOTA.to_vec())).unwrap_err().to_string();
    assert!(error.contains("not available here because") && error.contains("cpu.cfs_quota_us"), "{error}");
}

#[test]
fn units_of_v1_and_v2() {
    let v1 = Host::new(
        false,
        &[
            ("cpuacct.stat", "user 250\nsystem 50\n"),
            ("cpu.stat", "nr_periods 7\nnr_throttled 3\nthrottled_time 1500000000\n"),
        ],
    );
    let v2 = Host::new(
        true,
        &[(
            "cpu.stat",
            "usage_usec 3000000\nuser_usec 2500000\nsystem_usec 500000\nnr_periods 7\nnr_throttled 3\n\
             throttled_usec 1500000\n",
        )],
    );
    for host in [v1, v2] {
        let mut statistics = ResourceStatistics::default();
        host.with(1.0, |c| cpu(false, false).usage(c, &Facts::new(), &mut statistics)).unwrap();
        assert_eq!(statistics.cpus_user_time_secs, Some(2.5));
        assert_eq!(statistics.cpus_system_time_secs, Some(0.5));
        assert_eq!((statistics.cpus_nr_periods, statistics.processes), (None, None));
        host.with(1.0, |c| cpu(false, false).usage(c, &QUOTA.to_vec(), &mut statistics)).unwrap();
        assert_eq!((statistics.cpus_nr_periods, statistics.cpus_nr_throttled), (Some(7), Some(3)));
        assert_eq!(statistics.cpus_throttled_time_secs, Some(1.5));
    }
}

#[test]
fn nested_cgroups_count_and_an_empty_one_has_nobody() {
    for (unified, tasks) in [(false, "tasks"), (true, "cgroup.threads")] {
        let stat = "user 0\nsystem 0\nuser_usec 0\nsystem_usec 0\n";
        let host = Host::new(unified, &[("cpuacct.stat", stat), ("cpu.stat", stat), ("cgroup.procs", ""), (tasks, "")]);
        let counted = || {
            let mut statistics = ResourceStatistics::default();
            host.with(1.0, |c| cpu(false, true).usage(c, &Facts::new(), &mut statistics)).unwrap();
            (statistics.processes, statistics.threads)
        };
        assert_eq!(counted(), (Some(0), Some(0)));
        fs::write(host.path("cgroup.procs"), "10\n").unwrap();
        fs::write(host.path(tasks), "10\n11\n").unwrap();
        fs::create_dir_all(host.path("a/b")).unwrap();
        for (directory, procs) in [("a", ""), ("a/b", "12\n13\n")] {
            fs::write(host.path(directory).join("cgroup.procs"), procs).unwrap();
            fs::write(host.path(directory).join(tasks), procs).unwrap();
        }
        assert_eq!(counted(), (Some(3), Some(4)));
    }
}

#[test]
fn a_file_that_says_something_else_is_named() {
    let host = Host::new(false, &[("cpuacct.stat", "user x\n")]);
    let mut statistics = ResourceStatistics::default();
    let used = host.with(1.0, |c| cpu(false, false).usage(c, &Facts::new(), &mut statistics));
    let error = used.unwrap_err().to_string();
    assert!(error.contains("cpuacct.stat") && error.contains("\"user\""), "{error}");
}
