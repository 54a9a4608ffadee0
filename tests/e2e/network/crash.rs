//! network/port_mapping: the process that makes or undoes it is killed at any of its steps. Nothing is left, and nothing is blocked.

use std::collections::BTreeSet;
use std::fs;

use crate::agent::{Agent, eventually};
use crate::network::bed::{Bed, HOST, Net, bed, lasting, resources, tcp};

const PORTS: (u64, u64) = (31000, 31009);

fn points(bed: &Bed, agent: &Agent) -> BTreeSet<String> {
    let list = agent.path("steps");
    let task = agent.task("exec sleep 1000").resources(resources(&[PORTS]));
    let container = task.agent_env("ECP_STEPS", list.to_str().unwrap()).launch();
    container.destroy();
    container.wait();
    agent.assert_nothing_left();
    bed.assert_clean();
    let steps = fs::read_to_string(list).unwrap();
    steps.lines().filter(|line| line.starts_with("network ")).map(str::to_owned).collect()
}

#[test]
fn a_crash_at_any_step_leaves_nothing_and_blocks_nothing() {
    let bed = bed!();
    let stays_agent = bed.agent().build();
    let stays = lasting(&stays_agent, &[(31010, 31019)]);
    let inside = Net::of(&stays);
    let first = bed.agent().build();
    let points = {
        // Alone, so that it is seen whether the host is clean.
        let alone = bed!();
        points(&alone, &alone.agent().build())
    };
    drop(first);
    for step in ["set-up", "register", "connect", "inside", "attach", "detach", "unlink", "forget"] {
        assert!(points.contains(&format!("network {step}:after")), "{step} in {points:?}");
    }
    for point in points {
        println!("{point}");
        let agent = bed.agent().build();
        let task = agent.task("exec sleep 1000").resources(resources(&[PORTS])).agent_env("ECP_CRASH", &point);
        let (container, call) = task.spawn();
        let launched = call.finish().status.success();
        if launched {
            container.remember();
            // The process that undoes it is killed.
            let _ = container.invoke("destroy").run();
        } else {
            eventually(&format!("{point}: the failed launch is undone"), || agent.live().is_empty());
        }
        drop(agent.restart_with_memory());
        if launched {
            let _ = container.invoke("destroy").run();
        }
        agent.assert_nothing_left();
        eventually(&format!("{point}: the link is gone"), || bed.links().len() == 3);
        let again = lasting(&agent, &[PORTS]);
        assert!(tcp(&bed.peer, &Net::of(&again), HOST, 31000, true).is_some(), "{point}");
        again.destroy();
        assert!(!bed.filters().contains("00007918/"), "{point}: {}", bed.filters());
        assert!(tcp(&bed.peer, &inside, HOST, 31010, true).is_some(), "{point}");
    }
    stays.destroy();
    bed.assert_clean();
}
