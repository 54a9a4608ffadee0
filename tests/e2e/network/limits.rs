//! network/port_mapping: how much containers may send.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::patient;
use crate::network::bed::{HOST, Net, PEER, bed, bound, lasting};

/// Sends so much, and returns how long it took until all of it had arrived.
fn send(from: &Net, to: &Net, address: std::net::Ipv4Addr, port: u16, bytes: usize) -> Duration {
    let listener = to.within(|| bound(|| TcpListener::bind(("0.0.0.0", port))));
    let begin = Instant::now();
    let data: Vec<u8> = (0..bytes).map(|number| (number % 251) as u8).collect();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            (all, begin.elapsed())
        });
        let mut stream = from.within(|| TcpStream::connect((address, port)).unwrap());
        stream.write_all(&data).unwrap();
        drop(stream);
        let (all, took) = server.join().unwrap();
        assert!(all == data, "{} bytes have arrived of {bytes}, or others", all.len());
        took
    })
}

/// How many times as slow as usual this machine is said to be: how much it can send is no fault of ours.
fn slowness() -> f64 {
    patient(Duration::from_secs(1)).as_secs_f64()
}

#[test]
fn a_little_at_a_time_arrives_whole() {
    let bed = bed!();
    let agent = bed.agent().flag("--egress_rate_limit_per_container=2000B").build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let inside = Net::of(&container);
    let took = send(&inside, &bed.peer, PEER, 80, 20480);
    assert!(took > Duration::from_secs(10), "{took:?}");
    println!("20480 bytes at 2000 B/s: {took:?}");
}

#[test]
fn much_at_a_time_by_all_ways() {
    let much = (f64::from(64 << 20) / slowness()) as usize;
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, other) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31010, 31019)]));
    let (inside, beside) = (Net::of(&one), Net::of(&other));
    let rate = |took: Duration| much as f64 * 8e-9 / took.as_secs_f64();
    let best = |from: &Net, to: &Net, address, port| {
        (0..3).map(|_| rate(send(from, to, address, port, much))).fold(0.0, f64::max)
    };
    let localhost = std::net::Ipv4Addr::LOCALHOST;
    let to_host = best(&bed.peer, &bed.host, HOST, 8080);
    let to_container = best(&bed.peer, &inside, HOST, 31000);
    println!("Gbit/s: peer to host {to_host:.2}, peer to container {to_container:.2}");
    for (way, rate) in [
        ("container to peer", best(&inside, &bed.peer, PEER, 80)),
        ("host to container", best(&bed.host, &inside, localhost, 31001)),
        ("container to host", best(&inside, &bed.host, localhost, 8081)),
        ("container to container", best(&inside, &beside, HOST, 31010)),
    ] {
        println!("Gbit/s: {way} {rate:.2}");
        // Not how fast this machine is, but whether segments get lost on the way.
        assert!(rate > 0.05 / slowness(), "{way}: {rate} Gbit/s");
    }
}

#[test]
fn a_limit_holds_for_what_is_sent_only() {
    let bed = bed!();
    // 20 Mbit/s are 2500000 bytes per second.
    let agent = bed.agent().flag("--egress_rate_limit_per_container=2500000B").build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let inside = Net::of(&container);
    let took = send(&inside, &bed.peer, PEER, 80, 7_500_000).as_secs_f64();
    let rate = 7.5 * 8.0 / took;
    println!("limited to 20 Mbit/s: {rate:.1} Mbit/s");
    assert!((15.0 / slowness()..20.5).contains(&rate), "{rate} Mbit/s");
    let received = (0..3).map(|_| 7.5 * 8.0 / send(&bed.peer, &inside, HOST, 31000, 7_500_000).as_secs_f64());
    let received = received.fold(0.0, f64::max);
    println!("received: {received:.1} Mbit/s");
    assert!(received > 25.0, "what it receives is not limited: {received} Mbit/s");
    let qdiscs = inside.run("tc qdisc show dev eth0");
    assert!(qdiscs.contains("htb 1: root") && (qdiscs.contains("fq_codel") || qdiscs.contains("pfifo")), "{qdiscs}");
    let log = said(&agent);
    assert_eq!(qdiscs.contains("fq_codel"), !log.contains("fq_codel"), "{log}");
}

/// All that supervisors have said.
pub fn said(agent: &crate::agent::Agent) -> String {
    let output = std::process::Command::new("grep").args(["-rh", "isolator"]).arg(&agent.runtime_dir).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
