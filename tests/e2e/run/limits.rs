//! Resources, and what comes of exceeding them.

use std::fs;

use super::{Running, assert_clean, command, named_sandbox, run};
use crate::agent::{Agent, cgroups, need_root};

const ISOLATION: &str = "--isolation=cgroups/cpu,cgroups/mem";

#[test]
fn resources_become_limits() {
    need_root!();
    let agent = Agent::new();
    let (sandbox, flag) = named_sandbox(&agent);
    let words = ["sh", "-c", "echo $MESOS_CONTAINER_ID; until [ -e go ]; do sleep 0.02; done"];
    let flags = [ISOLATION, "--resources=cpus:0.5; mem:64; ports:[31000-32000]", &flag];
    let mut running = Running::start(&mut command(&agent, &flags, &words));
    let id = running.line();
    let control = |controller: &str, file: &str| {
        let path = cgroups::mount_point(controller).join(&agent.cgroups_root).join(&id).join(file);
        fs::read_to_string(path).unwrap().trim().to_owned()
    };
    let limit = if cgroups::is_v1("memory") { "memory.limit_in_bytes" } else { "memory.max" };
    assert_eq!(control("memory", limit), (64 << 20).to_string());
    if cgroups::is_v1("cpu") {
        assert_eq!(control("cpu", "cpu.shares"), "512");
    }
    fs::write(sandbox.join("go"), "").unwrap();
    running.end().with(0);
    assert_clean(&agent);
}

#[test]
fn a_container_that_exceeds_its_memory_says_so_in_one_line() {
    need_root!();
    let agent = Agent::new();
    let flags = [ISOLATION, "--resources=cpus:0.5;mem:32"];
    let (stdout, stderr) = run(&agent, &flags, &["tail", "/dev/zero"]).with(137);
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("mesos-ecp: run: Memory limit exceeded: Requested: 32MB Maximum Used: "), "{stderr}");
    assert!(stderr.ends_with(" (REASON_CONTAINER_LIMITATION_MEMORY)\n") && stderr.lines().count() == 1, "{stderr}");
    assert_clean(&agent);
}
