//! network/port_mapping: supervisors that are killed, and hosts that are made what they were.

use nix::sys::signal::Signal;

use crate::agent::{Agent, eventually, processes};
use crate::network::bed::{Bed, HOST, Net, PEER, bed, lasting, tcp};

fn kill_supervisors(agent: &Agent) {
    for supervisor in agent.supervisors() {
        processes::signal(supervisor.pid, Signal::SIGKILL);
    }
    eventually("the supervisors are gone", || agent.supervisors().is_empty());
}

#[test]
fn a_container_whose_supervisor_was_killed_goes_on_and_is_cleaned_up() {
    let bed = bed!();
    let agent = bed.agent().build();
    let containers = [lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)])];
    let stays = bed.agent().build();
    let other = lasting(&stays, &[(31020, 31029)]);
    kill_supervisors(&agent);
    let recovered = agent.restart_with_memory();
    assert_eq!(recovered.listed.len(), 2);
    for (container, port) in containers.iter().zip([31000, 31010]) {
        assert!(tcp(&bed.peer, &Net::of(container), HOST, port, true).is_some());
    }
    drop(recovered);
    containers[0].destroy();
    assert!(tcp(&bed.peer, &Net::of(&containers[1]), HOST, 31011, true).is_some());
    // And with everything of it.
    kill_supervisors(&agent);
    for process in containers[1].processes() {
        processes::signal(process.pid, Signal::SIGKILL);
    }
    containers[1].destroy();
    assert!(tcp(&bed.peer, &Net::of(&other), HOST, 31021, true).is_some());
    assert_eq!(bed.links().len(), 3);
    other.destroy();
    agent.assert_nothing_left();
    bed.assert_clean();
}

#[test]
fn a_host_may_get_another_address_between_two_launches() {
    let bed = bed!();
    let agent = bed.agent().build();
    let old = lasting(&agent, &[(31000, 31009)]);
    let next = std::net::Ipv4Addr::new(10, 77, 0, 3);
    bed.host.run(&format!("ip addr del {HOST}/24 dev eth0"));
    bed.host.run(&format!("ip addr add {next}/24 brd + dev eth0"));
    bed.host.run(&format!("ip route replace default via {PEER}"));
    let works = |container: &crate::agent::Container<'_>, port| {
        let inside = Net::of(container);
        assert!(tcp(&bed.peer, &inside, next, port, true).is_some());
        inside.run(&format!("busybox ping -c 1 -w 20 {PEER}"));
    };
    let new = lasting(&agent, &[(31010, 31019)]);
    works(&new, 31010);
    old.destroy();
    works(&new, 31011);
    let third = lasting(&agent, &[(31000, 31009)]);
    works(&third, 31000);
    for container in [&new, &third] {
        container.destroy();
    }
    agent.assert_nothing_left();
    bed.assert_clean();
}

fn state(bed: &Bed) -> Vec<String> {
    let names = ["all/rp_filter", "lo/rp_filter", "lo/route_localnet", "lo/accept_local", "all/send_redirects"];
    let mut all: Vec<_> = names.map(|name| bed.host.setting(&format!("ipv4/conf/{name}"))).into();
    all.push(bed.host.run("tc qdisc show"));
    // Nobody can give lo the address again that it has from the start.
    let links = bed.host.run("ip -o link show");
    all.extend(links.lines().map(|line| line.split(" link/loopback").next().unwrap().to_owned()));
    all.push(bed.filters_or_nothing());
    all
}

#[test]
fn teardown_makes_the_host_what_it_was() {
    let bed = bed!();
    let before = state(&bed);
    let agent = bed.agent().build();
    let teardown = || {
        let mut command = std::process::Command::new("sh");
        let program = env!("CARGO_BIN_EXE_mesos-ecp");
        command.arg("-c").arg(format!("{} {program} network teardown", bed.enter())).env("PATH", crate::agent::PATH);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(teardown(), (Some(0), String::new()));
    for _ in 0..2 {
        let container = lasting(&agent, &[(31000, 31009)]);
        let (code, said) = teardown();
        assert!(code == Some(1) && said.contains(&container.id), "{said}");
        assert!(tcp(&bed.peer, &Net::of(&container), HOST, 31000, true).is_some());
        container.destroy();
        assert_ne!(state(&bed), before);
        assert_eq!(teardown(), (Some(0), String::new()));
        assert_eq!(state(&bed), before);
        assert!(!bed.registry().exists());
    }
}
