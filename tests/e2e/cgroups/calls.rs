//! What the verbs ask of the kernel: figures that must not grow unnoticed.

use std::fs;

use crate::agent::{Agent, cgroups, need_root};

const ISOLATION: &str = "--isolation=cgroups/cpu,cgroups/mem,cgroups/pids";

/// The files that a verb opens, but for those of the dynamic linker; also those that were not there.
fn opened(trace: &str) -> Vec<String> {
    let calls = trace.lines().filter(|line| line.starts_with("openat("));
    let paths = calls.filter_map(|line| line.split('"').nth(1).map(str::to_owned));
    paths.filter(|path| !path.starts_with("/etc/ld.so") && !path.contains(".so.")).collect()
}

#[test]
fn usage_opens_no_more_files_than_it_must() {
    need_root!();
    let agent = Agent::builder().flag(ISOLATION).build();
    let container = agent.task("sleep 1000").launch();
    let trace = agent.path("trace");
    let through = format!("strace -o {}", trace.display());
    // As with most operators: nothing is said of a configuration file, so that the default one is looked for.
    let traced = Agent::builder().flag(ISOLATION).no_config_flag().through(&through);
    let traced = traced.same_as(&agent, &agent.work_dir).build();
    traced.about("usage", &container.id).run().statistics();
    let opened = opened(&fs::read_to_string(&trace).unwrap());
    assert!(!opened.iter().any(|path| path.ends_with("mountinfo")), "{opened:#?}");
    // Boot id; checkpoint (of two names), resources (of two names); facts of three isolators, figures of one.
    let of_state = 9;
    // v1 has figures of pressure. One file of CPU time; the directory and four files of memory; the directory and one file
    // of pids.
    let of_state = if cgroups::is_v1("memory") { of_state } else { of_state - 1 };
    let of_cgroups = 8;
    let config_file = 1;
    assert_eq!(opened.iter().filter(|path| *path == "/etc/mesos-ecp.toml").count(), config_file, "{opened:#?}");
    assert_eq!(opened.len(), config_file + of_state + of_cgroups, "{opened:#?}");
    container.destroy();
}

#[test]
fn a_launch_looks_for_mounts_once() {
    need_root!();
    let agent = Agent::new();
    let trace = agent.path("trace");
    // Appended: the calls after it have none to make.
    let through = format!("strace -f -A -o {}", trace.display());
    let traced = Agent::builder().flag(ISOLATION).through(&through).build();
    traced.task("true").launch().complete().assert_status(0);
    let trace = fs::read_to_string(&trace).unwrap();
    assert_eq!(trace.matches("\"/proc/self/mountinfo\"").count(), 1);
}
