//! The limits as another library reads them, one that shares no code with ours: cgroups-rs. It knows v1, and v2 alone.

use cgroups_rs::{Cgroup, MaxValue, hierarchies};

use crate::agent::messages::scalar;
use crate::agent::{Agent, need_root};

#[test]
fn another_library_reads_the_same_limits() {
    need_root!();
    let agent =
        Agent::builder().flag("--isolation=cgroups/cpu,cgroups/mem,cgroups/pids").flag("--cgroups_pids_max=77").build();
    let resources = vec![scalar("cpus", 0.5), scalar("mem", 96.0)];
    let container = agent.task("sleep 1000").resources(resources).launch();
    let cgroup = Cgroup::load(hierarchies::auto(), format!("{}/{}", agent.cgroups_root, container.id));
    let memory: &cgroups_rs::memory::MemController = cgroup.controller_of().unwrap();
    assert_eq!(memory.memory_stat().limit_in_bytes, 96 << 20);
    let pids: &cgroups_rs::pid::PidController = cgroup.controller_of().unwrap();
    assert_eq!(pids.get_pid_max().unwrap(), MaxValue::Value(77));
    let cpu: &cgroups_rs::cpu::CpuController = cgroup.controller_of().unwrap();
    assert_eq!(cpu.shares().unwrap(), if cgroup.v2() { 50 } else { 512 });
    assert!(!cgroup.tasks().is_empty());
    container.destroy();
}
