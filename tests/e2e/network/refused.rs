//! network/port_mapping: what it does not do, and says so.

use crate::agent::Agent;
use crate::network::bed::{Net, bed, ephemeral, lasting};
use crate::refusals::assert_says;

#[test]
fn one_container_too_many() {
    let bed = bed!();
    let agent = bed.agent().flag("--ephemeral_ports=[40000-40999]").flag("--ephemeral_ports_per_container=256").build();
    // 40192 is the first multiple of 256.
    let containers: Vec<_> = (0..3).map(|_| lasting(&agent, &[])).collect();
    let mut ranges: Vec<_> = containers.iter().map(|container| ephemeral(&Net::of(container))).collect();
    ranges.sort_unstable();
    assert_eq!(ranges, [(40192, 40447), (40448, 40703), (40704, 40959)]);
    let reason = agent.task("true").try_launch().1.refused();
    assert_says(&reason, &["network/port_mapping", "no ephemeral ports are left", "--ephemeral_ports", "3 "]);
    containers[1].destroy();
    let next = lasting(&agent, &[]);
    assert_eq!(ephemeral(&Net::of(&next)), ranges[1]);
    for container in [&containers[0], &containers[2], &next] {
        container.destroy();
    }
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn flags_that_do_not_go_together_with_the_host() {
    let bed = bed!();
    let refused = |flags: &[&str]| {
        let agent = flags.iter().fold(bed.agent(), |builder, flag| builder.flag(flag)).build();
        agent.task("true").try_launch().1.refused()
    };
    assert_says(&refused(&["--ephemeral_ports=[50000-60000]"]), &["50000-60000", "57345-61000", "ip_local_port_range"]);
    assert_says(&refused(&["--ephemeral_ports=[40001-40010]"]), &["no block of 1024 ports"]);
    assert_says(&refused(&["--ephemeral_ports_per_container=1000"]), &["power of two"]);
    assert_says(&refused(&["--eth0_name=eth7"]), &["eth7", "--eth0_name"]);
    assert_says(&refused(&["--launcher=posix"]), &["--launcher=posix"]);
    bed.host.run("ip route del default");
    assert_says(&refused(&[]), &["default route", "--eth0_name"]);
    let agent = bed.agent().flag("--eth0_name=eth0").build();
    lasting(&agent, &[]).destroy();
    // A kernel without IPv6 cannot have such a route.
    if bed.host.try_run("ip -4 route add default via inet6 fe80::1 dev eth0").is_ok() {
        assert_says(&refused(&[]), &["another family", "--eth0_name"]);
    }
    bed.assert_clean();
}

#[test]
fn a_link_of_a_stranger_and_another_qdisc() {
    let bed = bed!();
    let agent = bed.agent().build();
    let first = lasting(&agent, &[]);
    let name = bed.links().into_iter().find(|link| link.starts_with("mesos")).unwrap();
    let id = first.id.clone();
    first.destroy();
    bed.host.run(&format!("ip link add {name} type veth peer name other"));
    let reason = agent.task("true").id(&id).try_launch().1.refused();
    assert_says(&reason, &["network/port_mapping", &name]);
    assert!(bed.links().contains(&name), "it is somebody else's");
    bed.host.run(&format!("ip link del {name}"));
    bed.assert_clean();
    let other = bed!();
    other.host.run("tc qdisc add dev eth0 clsact");
    let agent: Agent = other.agent().build();
    assert_says(&agent.task("true").refused(), &["clsact", "eth0"]);
}
