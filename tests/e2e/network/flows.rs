//! network/port_mapping: a flow of its own for each container in what the host sends.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::agent::wire::{Message, Value};
use crate::agent::{eventually, processes};
use crate::network::bed::{Bed, HOST, Net, PEER, bed, bound, change, lasting, tcp, udp};
use crate::network::limits::said;
use crate::refusals::assert_says;

pub const FLAG: &str = "--egress_unique_flow_per_container";

/// Whether this machine's kernel has it, tried where it is of no account.
pub fn has_fq_codel(bed: &Bed) -> bool {
    let there = bed.peer.try_run("tc qdisc add dev lo root fq_codel").is_ok();
    if there {
        bed.peer.run("tc qdisc del dev lo root");
    }
    there
}

/// A host on a kernel with fq_codel, or the end of the test.
macro_rules! bed_with_flows {
    () => {{
        let bed = $crate::network::bed::bed!();
        if !$crate::network::flows::has_fq_codel(&bed) {
            $crate::agent::skip!("the kernel has no fq_codel");
        }
        bed
    }};
}
#[cfg(feature = "crash-points")]
pub(crate) use bed_with_flows;

/// The filters on what the host sends, without what they have counted.
pub fn filters(bed: &Bed) -> String {
    bed.host.run("tc filter show dev eth0 parent 1:")
}

/// How many packets each flow has been given by filters.
fn counts(bed: &Bed) -> BTreeMap<u16, u64> {
    let text = bed.host.run("tc -s filter show dev eth0 parent 1:");
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains("flowid 1:")) {
        let after = |what: &str| line.split(what).nth(1).and_then(|rest| rest.split([' ', ')']).next());
        let flow = u16::from_str_radix(after("flowid 1:").unwrap(), 16).unwrap();
        let count = after(" success ").unwrap_or_else(|| panic!("nothing is counted: {text}"));
        *all.entry(flow).or_insert(0) += count.parse::<u64>().unwrap();
    }
    all
}

/// Sends so many packets from a port, and says by how many each flow has then grown.
fn sent(bed: &Bed, from: &Net, port: u16, count: u64) -> BTreeMap<u16, u64> {
    let before = counts(bed);
    from.within(|| {
        let socket = bound(|| UdpSocket::bind((HOST, port)));
        (0..count).for_each(|_| drop(socket.send_to(&[7; 100], (PEER, 9))));
    });
    let grown = || -> BTreeMap<u16, u64> {
        let old = |flow: &u16| before.get(flow).copied().unwrap_or(0);
        counts(bed).into_iter().map(|(flow, new)| (flow, new - old(&flow))).filter(|(_, by)| *by > 0).collect()
    };
    eventually("the packets are sent", || grown().values().sum::<u64>() >= count);
    grown()
}

fn qdisc(bed: &Bed) -> String {
    bed.host.run("tc qdisc show dev eth0")
}

fn teardown(bed: &Bed) -> (Option<i32>, String) {
    let mut command = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_mesos-ecp");
    command.arg("-c").arg(format!("{} {program} network teardown", bed.enter())).env("PATH", crate::agent::PATH);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn without_fq_codel_it_is_refused() {
    let bed = bed!();
    if has_fq_codel(&bed) {
        crate::agent::skip!("the kernel has fq_codel");
    }
    let before = (qdisc(&bed), bed.links());
    let agent = bed.agent().flag(FLAG).build();
    let reason = agent.task("true").refused();
    assert_says(&reason, &["network/port_mapping", FLAG, "fq_codel", "kernel does not have", "leave the flag out"]);
    assert_eq!((qdisc(&bed), bed.links()), before);
    assert!(!bed.registry().exists(), "before anything is made");
}

#[test]
fn each_container_has_its_own() {
    let bed = bed_with_flows!();
    let (agent, plain) = (bed.agent().flag(FLAG).build(), bed.agent().build());
    let without = lasting(&plain, &[(31020, 31029)]);
    assert!(!qdisc(&bed).contains("fq_codel 1:"), "nobody has asked for it yet");
    let containers = [lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)])];
    let nets: Vec<Net> = containers.iter().map(Net::of).collect();
    assert!(qdisc(&bed).contains("qdisc fq_codel 1: root"), "{}", qdisc(&bed));
    assert!(!bed.filters_or_nothing().is_empty());
    for (from, port, flow) in [
        (&nets[0], 31000, 3),
        (&nets[0], 31009, 3),
        (&nets[1], 31015, 4),
        (&Net::of(&without), 31020, 1),
        (&bed.host, 8080, 1),
        (&nets[1], crate::network::bed::ephemeral(&nets[1]).1, 4),
        (&nets[0], crate::network::bed::ephemeral(&nets[0]).0, 3),
    ] {
        let grown = sent(&bed, from, port, 50);
        let of = |flow: u16| grown.get(&flow).copied().unwrap_or(0);
        // Beside it there may be ARP, and IPv6 of the host's.
        assert!((50..70).contains(&of(flow)), "{port}: {grown:?}");
        assert!(flow == 1 || of(flow) == 50 && of(1) < 20, "{port}: {grown:?}");
        assert!([3, 4].iter().all(|other| *other == flow || of(*other) == 0), "{port}: {grown:?}");
    }
    let before = counts(&bed)[&2];
    for net in [&nets[0], &bed.host] {
        net.run(&format!("busybox ping -c 2 -w 20 {PEER}"));
    }
    assert!(counts(&bed)[&2] >= before + 4);
    for (net, port) in nets.iter().zip([31001, 31011]) {
        assert!(tcp(&bed.peer, net, HOST, port, true).is_some());
        assert!(tcp(net, &bed.peer, PEER, 80, true).is_some());
    }
    classes_are_seen(&bed, [(&nets[0], 31000, "1:3"), (&nets[1], 31010, "1:4")]);
    for container in containers.iter().chain([&without]) {
        container.destroy();
    }
    bed.assert_clean();
    assert!(tcp(&bed.host, &bed.peer, PEER, 80, true).is_some(), "the host's own filter stays");
    agent.assert_nothing_left();
}

/// The kernel shows a flow only while it has a packet in hand, so there must be many, and a look may miss them. No packet is in
/// any other flow, where the kernel would have put it by itself.
fn classes_are_seen(bed: &Bed, senders: [(&Net, u16, &str); 2]) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for (net, port, _) in senders {
            let (net, stop) = (net, &stop);
            scope.spawn(move || {
                net.within(|| {
                    let socket = bound(|| UdpSocket::bind((HOST, port)));
                    while !stop.load(Ordering::Relaxed) {
                        let _ = socket.send_to(&[7; 1400], (PEER, 9));
                    }
                });
            });
        }
        let (mut seen, mut looks) = (String::new(), 0);
        let all = |seen: &str| senders.iter().all(|(.., class)| seen.contains(&format!("fq_codel {class} ")));
        while !all(&seen) && looks < 150 {
            looks += 1;
            seen.push_str(&bed.host.run("tc -s class show dev eth0"));
        }
        stop.store(true, Ordering::Relaxed);
        println!("all classes seen in {looks} looks: {}", all(&seen));
        let others = seen.lines().filter(|line| line.starts_with("class fq_codel"));
        let others = others.filter(|line| !(1..=4).any(|flow| line.contains(&format!(" 1:{flow} "))));
        assert_eq!(others.count(), 0, "{seen}");
    });
}

#[test]
fn it_follows_the_ports_and_is_given_to_the_next() {
    let bed = bed_with_flows!();
    let agent = bed.agent().flag(FLAG).build();
    let (first, second) = (lasting(&agent, &[(31000, 31007)]), lasting(&agent, &[(31008, 31015)]));
    let inside = Net::of(&second);
    change(&second, &[(31012, 31015), (31100, 31103)]).ok();
    for port in [31012, 31100] {
        assert_eq!(sent(&bed, &inside, port, 20).get(&4), Some(&20), "{port}");
    }
    // 31008/8 is 7920, the ones that stay have other masks.
    assert!(!filters(&bed).contains("79200000/fff80000"), "{}", filters(&bed));
    first.destroy();
    assert!(!filters(&bed).contains("flowid 1:3"), "{}", filters(&bed));
    assert_eq!(sent(&bed, &inside, 31101, 20).get(&4), Some(&20));
    let third = lasting(&agent, &[(31000, 31007)]);
    assert_eq!(sent(&bed, &Net::of(&third), 31003, 20).get(&3), Some(&20));
    second.destroy();
    third.destroy();
    bed.assert_clean();
    let left = filters(&bed);
    let of = |flow: &str| left.lines().filter(|line| line.contains(&format!("flowid {flow} "))).count();
    assert_eq!((of("1:1"), of("1:2"), left.matches("flowid").count()), (1, 2, 3), "{left}");
}

#[test]
fn the_kernel_drops_what_is_given_to_a_flow_that_is_not_there() {
    // Which is why no container may get such a number.
    let bed = bed_with_flows!();
    bed.host.run("tc qdisc add dev eth0 root handle 1: fq_codel flows 8");
    for (port, flow) in [(7, 8), (9, 9)] {
        let filter = format!("tc filter add dev eth0 parent 1: protocol ip pref 1 u32 match ip dport {port} 0xffff");
        bed.host.run(&format!("{filter} flowid 1:{flow}"));
    }
    bed.host.run("tc filter add dev eth0 parent 1: protocol arp pref 2 u32 match u32 0 0 flowid 1:1");
    assert!(udp(&bed.host, &bed.peer, PEER, 7, true).is_some());
    assert!(udp(&bed.host, &bed.peer, PEER, 9, false).is_none());
    assert!(udp(&bed.host, &bed.peer, PEER, 8, false).is_none(), "nor is what no filter matches sent");
}

#[test]
fn who_comes_when_all_are_in_use_shares_that_of_the_host() {
    let bed = bed_with_flows!();
    let agent = bed.agent().flag(FLAG).build();
    let first = lasting(&agent, &[(31000, 31009)]);
    // As if there were 1021 others: they are in the registry, and their state is somewhere.
    let others = (4..=1024).fold(Message::new(), |all, flow| {
        let range = Message::new().varint(1, 1).varint(2, 1);
        let other = Message::new().bytes(1, format!("other{flow}")).bytes(2, "/").bytes(3, format!("other{flow}"));
        all.message(
            2,
            &other.varint(4, 10_000 + flow).message(5, &range).with(7, Value::Fixed32(HOST.to_bits())).varint(9, flow),
        )
    });
    let path = bed.registry().join("registry");
    let whole = [std::fs::read(&path).unwrap().as_slice(), others.encode().as_slice()].concat();
    std::fs::write(&path, whole).unwrap();
    let second = lasting(&agent, &[(31010, 31019)]);
    let inside = Net::of(&second);
    let grown = sent(&bed, &inside, 31010, 50);
    assert!(grown.get(&1).is_some_and(|count| (50..70).contains(count)), "{grown:?}");
    assert!(tcp(&bed.peer, &inside, HOST, 31011, true).is_some());
    assert!(said(&agent).contains("all flows of --egress_unique_flow_per_container are in use"));
    change(&second, &[(31010, 31015)]).ok();
    assert!(tcp(&bed.peer, &inside, HOST, 31011, true).is_some());
    // One that ends leaves its own to the next.
    first.destroy();
    let third = lasting(&agent, &[(31000, 31009)]);
    assert_eq!(sent(&bed, &Net::of(&third), 31000, 20).get(&3), Some(&20));
    second.destroy();
    third.destroy();
    bed.assert_clean();
}

#[test]
fn teardown_gives_the_link_its_own_qdisc_back() {
    let bed = bed_with_flows!();
    let before = bed.host.run("tc qdisc show");
    let agent = bed.agent().flag(FLAG).build();
    for _ in 0..2 {
        let container = lasting(&agent, &[(31000, 31009)]);
        let (code, said) = teardown(&bed);
        assert!(code == Some(1) && said.contains(&container.id), "{said}");
        container.destroy();
        assert_eq!(teardown(&bed), (Some(0), String::new()));
        assert_eq!(bed.host.run("tc qdisc show"), before);
        assert!(!bed.registry().exists());
    }
    // Not with what somebody else has at it.
    lasting(&agent, &[]).destroy();
    bed.host.run("tc filter add dev eth0 parent 1: protocol ip pref 5 u32 match ip dport 9 0xffff flowid 1:9");
    let (code, said) = teardown(&bed);
    assert_eq!(code, Some(1));
    assert_says(&said, &["somebody else has filters", "eth0"]);
    assert!(filters(&bed).contains("flowid 1:9") && bed.registry().exists());
    bed.host.run("tc filter del dev eth0 parent 1: pref 5");
    assert_eq!(teardown(&bed), (Some(0), String::new()));
    assert_eq!(bed.host.run("tc qdisc show"), before);
}

#[test]
fn a_qdisc_of_somebody_elses_is_left_alone() {
    for theirs in ["htb", "fq_codel"] {
        let bed = bed_with_flows!();
        bed.host.run(&format!("tc qdisc add dev eth0 root handle 1: {theirs}"));
        // But for what htb has counted.
        let state = || qdisc(&bed).split(" direct_packets_stat").next().unwrap().to_owned();
        let before = state();
        let agent = bed.agent().flag(FLAG).build();
        let reason = agent.task("true").refused();
        assert_says(&reason, &["eth0 has the qdisc", theirs, FLAG, "tc qdisc del dev eth0 root"]);
        // Without the flag it is nobody's business.
        let plain = bed.agent().build();
        let container = lasting(&plain, &[(31000, 31009)]);
        assert!(tcp(&bed.peer, &Net::of(&container), HOST, 31000, true).is_some());
        container.destroy();
        assert_eq!(teardown(&bed), (Some(0), String::new()));
        assert_eq!(state(), before);
    }
}

#[test]
fn who_takes_over_brings_it_back() {
    let bed = bed_with_flows!();
    let agent = bed.agent().flag(FLAG).build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let inside = Net::of(&container);
    // Who has a supervisor all the time gets its own back as well.
    let second = bed.agent().flag(FLAG).build();
    let other = lasting(&second, &[(31010, 31019)]);
    let whole = filters(&bed);
    bed.host.run("tc qdisc del dev eth0 root");
    // Meanwhile it goes on without, also through an update.
    change(&container, &[(31000, 31007)]).ok();
    assert!(tcp(&bed.peer, &inside, HOST, 31000, true).is_some());
    change(&container, &[(31000, 31009)]).ok();
    for supervisor in agent.supervisors() {
        processes::signal(supervisor.pid, Signal::SIGKILL);
    }
    eventually("the supervisors are gone", || agent.supervisors().is_empty());
    drop(agent.restart_with_memory());
    eventually("all filters are there again", || {
        bed.host.try_run("tc filter show dev eth0 parent 1:").is_ok_and(|found| found == whole)
    });
    assert_eq!(sent(&bed, &inside, 31009, 20).get(&3), Some(&20));
    container.destroy();
    other.destroy();
    agent.assert_nothing_left();
    second.assert_nothing_left();
    bed.assert_clean();
    assert!(!filters(&bed).contains("flowid 1:3"));
}
