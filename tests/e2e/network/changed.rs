//! network/port_mapping: others change the host, or the container its own side, while containers run.

use std::fs;

use crate::agent::{Agent, processes};
use crate::network::bed::{Bed, HOST, LOCALHOST, Net, PEER, bed, by_id, change, ephemeral, lasting, resources, tcp};
use crate::refusals::assert_says;
use nix::sys::signal::Signal;
use std::net::Ipv4Addr;

const NEXT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

#[track_caller]
fn reaches(from: &Net, to: &Net, address: Ipv4Addr, port: u16) {
    assert!(tcp(from, to, address, port, true).is_some(), "TCP to {address}:{port}");
}

fn kill_supervisors(agent: &Agent) {
    for supervisor in agent.supervisors() {
        processes::signal(supervisor.pid, Signal::SIGKILL);
    }
    crate::agent::eventually("the supervisors are gone", || agent.supervisors().is_empty());
}

#[test]
fn another_address_blocks_nobody() {
    let bed = bed!();
    let agent = bed.agent().build();
    let first = lasting(&agent, &[(31000, 31009)]);
    bed.host.run(&format!("ip addr del {HOST}/24 dev eth0"));
    bed.host.run(&format!("ip addr add {NEXT}/24 brd + dev eth0"));
    bed.host.run(&format!("ip route add default via {PEER}"));
    let (second, third) = (lasting(&agent, &[(31010, 31019)]), lasting(&agent, &[(31020, 31029)]));
    reaches(&bed.peer, &Net::of(&second), NEXT, 31010);
    // The one goes that the others' filters might have been made after.
    first.destroy();
    let fourth = lasting(&agent, &[(31000, 31009)]);
    for (container, port) in [(&second, 31010), (&third, 31020), (&fourth, 31000)] {
        let inside = Net::of(container);
        reaches(&bed.peer, &inside, NEXT, port);
        inside.run("ip neigh flush dev eth0");
        let said = inside.run(&format!("busybox ping -c 1 -w 10 {PEER}"));
        assert!(said.contains("1 packets received"), "{said}");
    }
    [second, third, fourth].iter().for_each(|container| drop(container.destroy()));
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn an_update_does_not_need_the_default_route() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    bed.host.run("ip route del default");
    change(&container, &[(31000, 31009), (31020, 31029)]).ok();
    reaches(&bed.peer, &Net::of(&container), HOST, 31020);
    // Nor is another one that has come the way out.
    bed.host.run("ip link add vpn0 type veth peer name vpn1");
    bed.host.run("ip link set vpn0 up");
    bed.host.run("ip route add default dev vpn0");
    change(&container, &[(31000, 31009), (31020, 31029), (31040, 31049)]).ok();
    reaches(&bed.peer, &Net::of(&container), HOST, 31040);
    container.destroy();
    bed.host.run("ip link del vpn0");
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn a_qdisc_that_was_removed_is_made_again_with_all_that_was_on_it() {
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, other) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)]));
    bed.host.run("tc qdisc del dev eth0 ingress");
    bed.host.run("tc qdisc del dev lo ingress");
    assert!(tcp(&bed.peer, &Net::of(&one), HOST, 31000, false).is_none());
    // By the next launch.
    let next = lasting(&agent, &[(31020, 31029)]);
    let all = [(&one, 31000), (&other, 31010), (&next, 31020)];
    let reached = || {
        for (container, port) in all {
            reaches(&bed.peer, &Net::of(container), HOST, port);
            reaches(&bed.host, &Net::of(container), LOCALHOST, port);
        }
    };
    reached();
    // By who takes over.
    bed.host.run("tc qdisc del dev eth0 ingress");
    kill_supervisors(&agent);
    drop(agent.restart_with_memory());
    reached();
    // And single filters.
    bed.host.run("tc filter del dev lo parent ffff: pref 770");
    bed.host.run("tc filter del dev eth0 parent ffff: pref 258");
    kill_supervisors(&agent);
    drop(agent.restart_with_memory());
    reached();
    Net::of(&one).run("ip neigh flush dev eth0");
    reaches(&Net::of(&one), &bed.peer, PEER, 80);
    all.iter().for_each(|(container, _)| drop(container.destroy()));
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn without_the_registry_nobody_gets_ports_that_are_taken_and_all_is_undone() {
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, other) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)]));
    fs::remove_file(bed.registry().join("registry")).unwrap();
    let refuse = |why: &str| {
        let task = agent.task("exec sleep 1000").resources(resources(&[(31020, 31029)]));
        let (_, call) = task.spawn();
        assert_says(&call.finish().refused(), &[why, "destroy all containers"]);
    };
    refuse("is gone");
    // Both go on, also where an update changes something else, and one's end does not disturb the other.
    change(&one, &[(31000, 31009)]).ok();
    one.destroy();
    reaches(&bed.peer, &Net::of(&other), HOST, 31010);
    other.destroy();
    agent.assert_nothing_left();
    assert!(!bed.filters().to_lowercase().contains("redirect"), "{}", bed.filters());
    let again = lasting(&agent, &[(31000, 31009)]);
    reaches(&bed.peer, &Net::of(&again), HOST, 31000);
    // A damaged one is refused as well, and whoever ends leaves nothing all the same.
    let registry = bed.registry().join("registry");
    fs::write(&registry, "").unwrap();
    refuse("cannot be understood");
    change(&again, &[(31000, 31009)]).ok();
    again.destroy();
    for container in [&one, &other, &again] {
        assert!(!by_id(&container.id).is_symlink());
    }
    let again = lasting(&agent, &[(31000, 31009)]);
    reaches(&bed.peer, &Net::of(&again), HOST, 31000);
    again.destroy();
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn ports_of_one_that_has_deleted_its_own_link_can_be_taken() {
    let bed = bed!();
    let (agent, second) = (bed.agent().build(), bed.agent().build());
    let container = lasting(&agent, &[(31000, 31009)]);
    Net::of(&container).run("ip link del eth0");
    change(&container, &[(31000, 31003)]).ok();
    let other = lasting(&second, &[(31005, 31009)]);
    reaches(&bed.peer, &Net::of(&other), HOST, 31007);
    container.destroy();
    reaches(&bed.peer, &Net::of(&other), HOST, 31007);
    other.destroy();
    agent.assert_nothing_left();
    second.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn the_remains_of_a_container_that_nobody_knows_any_more_are_no_obstacle() {
    let bed = bed!();
    let (agent, second) = (bed.agent().flag("--ephemeral_ports=[32768-33791]").build(), bed.agent().build());
    let container = lasting(&agent, &[(31000, 31009)]);
    // Its agent, its supervisor, its state and its processes are gone at once.
    kill_supervisors(&agent);
    container.processes().iter().for_each(|process| processes::signal(process.pid, Signal::SIGKILL));
    fs::remove_dir_all(&agent.runtime_dir).unwrap();
    crate::agent::eventually("its link is gone", || bed.links().len() == 2);
    age(&bed);
    let other = lasting(&second, &[(31000, 31009)]);
    reaches(&bed.peer, &Net::of(&other), HOST, 31000);
    other.destroy();
    second.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn what_leads_nowhere_any_more_is_in_nobodys_way() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let (first, _) = ephemeral(&Net::of(&container));
    // Its end is not undone: somebody has given the host's link another name.
    bed.host.run("ip link set eth0 down");
    bed.host.run("ip link set eth0 name wan0");
    container.destroy();
    agent.assert_nothing_left();
    bed.host.run("ip link set wan0 name eth0");
    bed.host.run("ip link set eth0 up");
    bed.host.run(&format!("ip route replace default via {PEER}"));
    assert!(bed.filters().contains("device *"), "{}", bed.filters());
    let next = lasting(&agent, &[(31000, 31009)]);
    for port in [31000, first] {
        reaches(&bed.peer, &Net::of(&next), HOST, port);
        reaches(&bed.host, &Net::of(&next), LOCALHOST, port);
    }
    next.destroy();
    bed.assert_clean();
}

#[test]
fn who_is_cut_off_is_connected_again_by_a_later_launch_if_the_next_one_fails() {
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, other) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)]));
    bed.host.run("tc qdisc del dev eth0 ingress");
    bed.host.run("tc filter del dev lo parent ffff: pref 514");
    bed.host.run("tc filter add dev lo parent ffff: protocol ipv6 pref 514 u32 match u32 0 0");
    let failing = agent.task("exec sleep 1000").resources(resources(&[(31020, 31029)]));
    failing.spawn().1.finish().refused();
    bed.host.run("tc filter del dev lo parent ffff: pref 514");
    // Nor does one that ends meanwhile keep its ports.
    bed.host.run("tc qdisc del dev eth0 ingress");
    other.destroy();
    let next = lasting(&agent, &[(31010, 31019)]);
    for (container, port) in [(&one, 31000), (&next, 31010)] {
        reaches(&bed.peer, &Net::of(container), HOST, port);
    }
    one.destroy();
    next.destroy();
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn what_a_container_has_it_may_keep() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    bed.host.set("ipv4/ip_local_port_range", "30000 32000");
    change(&container, &[(31000, 31008)]).ok();
    let reason = change(&container, &[(31000, 31009)]).refused();
    assert_says(&reason, &["31000-31009", "30000-32000"]);
}

/// Makes what the registry has of a container old enough to be forgotten.
fn age(bed: &Bed) {
    let path = bed.registry().join("registry");
    let bytes = fs::read(&path).unwrap();
    // `since` is the last field of the entry: its tag, 13, and a varint of five bytes.
    let tag = bytes.iter().rposition(|byte| *byte == 13 << 3).unwrap();
    assert_eq!(tag + 6, bytes.len(), "there are more fields by now");
    let mut aged = bytes.clone();
    aged[tag + 1..tag + 6].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 1]);
    fs::write(&path, aged).unwrap();
}
