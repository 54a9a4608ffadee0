//! examples/mesos-ecp.toml is what the table of flags says.
//!
//! After a change of the table: `UPDATE_GENERATED=1 cargo test --lib config::file::example`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use crate::config::in_force::quoted;
use crate::config::{Config, FLAGS, Flag, Kind, Settings, Untrusted};

const HEADER: &str = "\
# Settings of mesos-ecp: copy this file to /etc/mesos-ecp.toml, or name another place by --config=PATH. It must belong to
# root, or to the account that the agent runs as, and be writable by nobody else.
#
# What the command line or the environment sets wins over this file. `mesos-ecp config` prints what is in force, and where
# each setting comes from.
#
# Each line that is commented out has the default, or, where nothing is set by default, an example.
";

/// A value for a flag without a default.
fn sample(flag: &Flag) -> &'static str {
    match flag.name {
        "runtime_dir" => "/run/mesos-ecp",
        "work_dir" => "/var/lib/mesos",
        "launcher_dir" => "/usr/libexec/mesos",
        "frameworks_home" => "/usr/share/frameworks",
        "hadoop_home" => "/opt/hadoop",
        "fetcher_cache_dir" => "/var/cache/mesos-ecp",
        "launcher" => "linux",
        "cgroups_pids_max" => "1000",
        "cgroups_blkio_weight" => "500",
        "cgroups_blkio_throttle" => "8:0 rbps=10MB wiops=100",
        "allowed_devices" => {
            r#"{"allowed_devices": [{"device": {"path": "/dev/fuse"}, "access": {"read": true, "write": true}}]}"#
        }
        "container_ports_isolated_range" => "[0-35000]",
        "cgroups_net_cls_primary_handle" => "0x0012",
        "cgroups_net_cls_secondary_handles" => "0x0001,0xffff",
        "default_container_info" => {
            r#"{"type": "MESOS", "volumes": [{"host_path": ".private/tmp", "container_path": "/tmp", "mode": "RW"}]}"#
        }
        "default_rootfs" => "/var/lib/mesos-ecp/rootfs",
        "disk_walkers" => "2",
        "effective_capabilities" => "none",
        "bounding_capabilities" => r#"{"capabilities": ["NET_BIND_SERVICE", "NET_RAW"]}"#,
        "default_rlimits" => "NOFILE=1024:4096,CORE=0",
        "on_launch" => "/usr/local/sbin/tell-the-inventory",
        "on_exit" => "echo $MESOS_CONTAINER_ID $CONTAINER_STATUS >> /var/log/containers",
        "oom_score_adj" => "500",
        "eth0_name" => "eth0",
        "lo_name" => "lo",
        "egress_rate_limit_per_container" => "37500KB",
        "perf_events" => "task-clock,context-switches",
        "seccomp_config_dir" => "/etc/mesos-ecp/seccomp",
        "seccomp_profile_name" => "default.json",
        "userns_range" => "524288-589823",
        other => panic!("{other} has no default: give it an example here"),
    }
}

fn line(flag: &Flag) -> String {
    let value = if flag.default.is_empty() { sample(flag) } else { flag.default };
    let value = match flag.kind {
        Kind::Bool | Kind::Number => value.to_owned(),
        _ if value.contains('"') => format!("'{value}'"),
        _ => quoted(value),
    };
    format!("#{} = {value}\n", flag.name)
}

fn example() -> String {
    let mut text = HEADER.to_owned();
    for flag in FLAGS.iter().filter(|flag| flag.in_file()) {
        text.push('\n');
        let mut comment = "#".to_owned();
        for word in flag.help.split(' ') {
            if comment.len() + 1 + word.len() > 120 {
                writeln!(text, "{comment}").unwrap();
                comment = "#".to_owned();
            }
            comment = format!("{comment} {word}");
        }
        write!(text, "{comment}\n{}", line(flag)).unwrap();
    }
    text
}

#[test]
fn the_example_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mesos-ecp.toml");
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, example()).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    let hint = "run UPDATE_GENERATED=1 cargo test --lib config::file::example";
    assert!(found == example(), "{} is out of step with the flags: {hint}", path.display());
}

#[test]
fn every_line_of_the_example_can_be_uncommented() {
    let resolve = |text: &str| {
        let read = |_: &Path, _: Option<&str>| Ok(Some(text.to_owned()));
        Config::resolve_with_file(&Settings::default(), std::iter::empty(), &Untrusted::default(), read)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .0
    };
    let default = resolve("");
    assert_eq!(resolve(&example()), default);
    let mut all = String::new();
    for flag in FLAGS.iter().filter(|flag| flag.in_file()) {
        let wanted = format!("#{} = ", flag.name);
        let example = example();
        let line = example.lines().find(|line| line.starts_with(&wanted)).unwrap().trim_start_matches('#');
        assert_eq!(resolve(line) == default, !flag.default.is_empty(), "{line}");
        all += &format!("{line}\n");
    }
    resolve(&all);
}
