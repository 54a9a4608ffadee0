//! `cgroups/cpuset`: a cgroup that begins with what is above it.

use std::path::Path;
use std::{fs, io};

use crate::agent::{Agent, cgroups, eventually, need_root};

const FLAG: &str = "--isolation=cgroups/cpuset";

/// Makes the agent's root by hand, bound to processor 0. Other tests make and remove the level above it at the same time.
fn bind_to_the_first(agent: &Agent) -> io::Result<()> {
    let mut path = cgroups::mount_point("cpuset");
    for level in Path::new(&agent.cgroups_root) {
        let above = path.clone();
        path.push(level);
        if !cgroups::is_v1("cpuset") {
            fs::write(above.join("cgroup.subtree_control"), "+cpuset")?;
        }
        let _ = fs::create_dir(&path);
        for file in ["cpuset.cpus", "cpuset.mems"].into_iter().filter(|_| cgroups::is_v1("cpuset")) {
            if fs::read_to_string(path.join(file))?.trim().is_empty() {
                fs::write(path.join(file), fs::read_to_string(above.join(file))?.trim())?;
            }
        }
    }
    fs::write(path.join("cpuset.cpus"), "0")
}

fn effective() -> &'static str {
    if cgroups::is_v1("cpuset") { "cpuset.effective_cpus" } else { "cpuset.cpus.effective" }
}

#[test]
fn it_begins_with_the_processors_and_nodes_above_it() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    let container = agent.task("grep Cpus_allowed_list /proc/self/status > allowed; exec sleep 1000").launch();
    container.line("allowed");
    let cgroup = container.cgroup("cpuset");
    let files = if cgroups::is_v1("cpuset") {
        ["cpuset.cpus", "cpuset.mems"]
    } else {
        ["cpuset.cpus.effective", "cpuset.mems.effective"]
    };
    for file in files {
        let above = fs::read_to_string(cgroup.parent().unwrap().join(file)).unwrap();
        assert_eq!(container.control("cpuset", file), above.trim());
        assert!(!above.trim().is_empty());
    }
    let controller = if cgroups::is_v1("cpuset") { "cpuset" } else { "" };
    let own = format!("/{}/{}", agent.cgroups_root, container.id);
    assert_eq!(cgroups::of_process(container.first_pid(), controller), own);
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn what_binds_the_root_binds_the_container() {
    need_root!();
    let agent = Agent::builder().flag(FLAG).build();
    eventually("the agent's root is made", || bind_to_the_first(&agent).is_ok());
    let container = agent.task("grep Cpus_allowed_list /proc/self/status > allowed; exec sleep 1000").launch();
    assert_eq!(container.line("allowed"), "Cpus_allowed_list:\t0");
    assert_eq!(container.control("cpuset", effective()), "0");
    // No limit is set: an update leaves it as it is.
    container.update(&[("cpus", 2.0)]);
    assert_eq!(container.control("cpuset", effective()), "0");
}
