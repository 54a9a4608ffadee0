//! What /proc, /sys, control groups and /etc say.
#![forbid(unsafe_code)]

use crate::isolators::fuzzing::{cgroups, namespaces, network};
use crate::isolators::network::statistics::{snmp, sockets};
use crate::proc::Proc;
use crate::protocol::mesos::ResourceStatistics;

use super::{Scratch, text};

pub(super) fn body(data: &[u8]) {
    let (which, data) = super::selected(data);
    match which % 12 {
        0 => crate::cgroup::fuzzing::keys(data),
        1 => crate::cgroup::fuzzing::file(data),
        2 => cgroups::memory(data),
        3 => cgroups::online(data),
        4 => process("7/stat", data),
        5 => process("7/status", data),
        6 => process("7/environ", data),
        7 => process("7/task/7/children", data),
        8 => counters(data),
        9 => network::own_range(data),
        10 => namespaces::subordinate(data),
        _ => crate::launcher::fuzzing::groups(data),
    }
}

/// One file of a process, whose first one is good unless it is the one.
fn process(file: &str, data: &[u8]) {
    let scratch = Scratch::new();
    scratch.file("7/stat", &std::fs::read("/proc/self/stat").unwrap_or_default());
    // As if it were a child of its own.
    scratch.file("7/task/7/children", b"7 8");
    scratch.file(file, data);
    let proc = Proc::at(scratch.path());
    let stat = proc.stat(7);
    assert_eq!(proc.start_time(7), stat.as_ref().map(|stat| stat.starttime));
    if let Some(stat) = &stat {
        Proc::has_ended(stat);
    }
    assert_ne!(proc.tracer(7), Some(0));
    assert_eq!(proc.pids().ok(), Some(vec![7]));
    assert!(!proc.has_environment(7, "A=\0"));
    assert!(proc.has_environment(7, "A=1") <= data.windows(3).any(|window| window == b"A=1"));
    assert!(proc.children(7).len() <= 2 + data.len());
    assert!(proc.tree(7).len() <= 3 + data.len());
}

/// The network's, each text as both.
fn counters(data: &[u8]) {
    let text = text(data);
    let found = snmp::parse(text);
    assert_eq!(found.tcp_stats.is_some(), text.lines().filter(|line| line.starts_with("Tcp:")).count() > 1);
    let mut statistics = ResourceStatistics::default();
    sockets::fill_counts(&mut statistics, text, Some(text));
    assert!(statistics.net_tcp_active_connections.is_none_or(|count| count >= 0.0));
}
