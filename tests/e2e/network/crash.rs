//! network/port_mapping: the process that makes or undoes it is killed at any of its steps. Nothing is left, and nothing is blocked.

use std::collections::BTreeSet;
use std::fs;

use crate::agent::{Agent, Builder, eventually};
use crate::network::bed::{Bed, HOST, Net, PEER, bed, by_id, lasting, resources, tcp};
use crate::network::flows::{FLAG, bed_with_flows, filters};

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
    // And `unlink`, unless the link has gone with the container's namespace by then.
    let steps = ["set-up", "register", "connect", "inside", "attach", "detach", "forget"];
    at_any_step(Bed::agent, &steps);
}

#[test]
fn a_crash_at_any_step_of_flows_leaves_none_and_blocks_none() {
    let steps = ["set-up", "flows register", "flows", "register", "attach", "flow", "forget"];
    drop(bed_with_flows!());
    at_any_step(|bed| bed.agent().flag(FLAG), &steps);
}

fn at_any_step(builder: fn(&Bed) -> Builder, steps: &[&str]) {
    let bed = bed!();
    let points = {
        // Alone, so that it is seen whether the host is clean.
        let alone = bed!();
        points(&alone, &builder(&alone).build())
    };
    for step in steps {
        assert!(points.contains(&format!("network {step}:after")), "{step} in {points:?}");
    }
    let flows = steps.contains(&"flows");
    // Those of the first launch of all.
    for point in points.iter().filter(|point| point.starts_with("network flows") || point.contains("set-up")) {
        println!("first: {point}");
        let fresh = bed!();
        let agent = builder(&fresh).build();
        let task = agent.task("exec sleep 1000").resources(resources(&[PORTS])).agent_env("ECP_CRASH", point);
        // Once: whoever takes over has the same environment, and may have to pass the same point.
        let task = task.agent_env("ECP_CRASH_ONCE", agent.path("died").to_str().unwrap());
        assert!(!task.spawn().1.finish().status.success());
        eventually(&format!("{point}: the failed launch is undone"), || agent.live().is_empty());
        assert!(tcp(&fresh.host, &fresh.peer, PEER, 80, true).is_some(), "{point}: the host is cut off");
        lasting(&agent, &[PORTS]).destroy();
        fresh.assert_clean();
    }
    let stays_agent = builder(&bed).build();
    let stays = lasting(&stays_agent, &[(31010, 31019)]);
    let inside = Net::of(&stays);
    for point in points {
        println!("{point}");
        let agent = builder(&bed).build();
        let task = agent.task("exec sleep 1000").resources(resources(&[PORTS])).agent_env("ECP_CRASH", &point);
        let task = task.agent_env("ECP_CRASH_ONCE", agent.path("died").to_str().unwrap());
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
        assert!(!by_id(&container.id).is_symlink() && !by_id(&again.id).is_symlink(), "{point}");
        assert!(!bed.filters().contains("00007918/"), "{point}: {}", bed.filters());
        assert!(!flows || !filters(&bed).contains("flowid 1:4"), "{point}: {}", filters(&bed));
        assert!(tcp(&bed.peer, &inside, HOST, 31010, true).is_some(), "{point}");
    }
    stays.destroy();
    bed.assert_clean();
}
