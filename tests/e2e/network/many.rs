//! network/port_mapping: many containers of two agents, with traffic through others.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::agent::{Agent, Container, patient};
use crate::network::bed::{Bed, HOST, Net, PEER, bed, ephemeral, lasting, resources, tcp, udp};

const EACH: usize = 30;
const ROUNDS: usize = 3;

fn agent(bed: &Bed) -> Agent {
    bed.agent().flag("--ephemeral_ports_per_container=64").build()
}

/// Launches so many at the same moment, each with two ports of its own.
fn launch(agent: &Agent, first: u64) -> Vec<Container<'_>> {
    let calls: Vec<_> = (0..EACH as u64)
        .map(|number| {
            let port = first + 10 * number;
            agent.task("exec sleep 1000").resources(resources(&[(port, port + 1)])).spawn()
        })
        .collect();
    let launched = calls.into_iter().map(|(container, call)| {
        call.finish().ok();
        container.remember();
        container
    });
    launched.collect()
}

fn destroy(containers: &[Container<'_>]) {
    thread::scope(|scope| {
        for part in containers.chunks(EACH / 3) {
            scope.spawn(|| part.iter().for_each(|container| drop(container.destroy())));
        }
    });
}

/// One connection into a container, one out of it; how often something was said in each. All of it must come back.
fn talk(bed: &Bed, inside: &Net, stop: &AtomicBool, said: &AtomicU32) {
    let listen = |net: &Net, port| net.within(|| TcpListener::bind(("0.0.0.0", port)).unwrap());
    let (within, outside) = (listen(inside, 31000), listen(&bed.peer, 80));
    let connections = [
        bed.peer.within(|| TcpStream::connect((HOST, 31000)).unwrap()),
        inside.within(|| TcpStream::connect((PEER, 80)).unwrap()),
    ];
    thread::scope(|scope| {
        for listener in [within, outside] {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    stream.write_all(&byte).unwrap();
                }
            });
        }
        for mut stream in connections {
            scope.spawn(move || {
                stream.set_read_timeout(Some(patient(Duration::from_secs(10)))).unwrap();
                stream.set_nodelay(true).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    stream.write_all(&[7]).unwrap();
                    stream.read_exact(&mut [0]).unwrap();
                    said.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
    });
}

#[test]
fn many_come_and_go_at_once_and_nobody_else_notices() {
    let bed = bed!();
    let (one, two) = (agent(&bed), agent(&bed));
    let stays = lasting(&one, &[(31000, 31009)]);
    let inside = Net::of(&stays);
    let (stop, said) = (AtomicBool::new(false), AtomicU32::new(0));
    let before = bed.filters();
    thread::scope(|scope| {
        let talking = scope.spawn(|| talk(&bed, &inside, &stop, &said));
        for _ in 0..ROUNDS {
            let begin = said.load(Ordering::Relaxed);
            thread::scope(|scope| {
                let other = scope.spawn(|| {
                    let containers = launch(&two, 20000);
                    check(&bed, &containers, 20000);
                    destroy(&containers);
                });
                let containers = launch(&one, 25000);
                check(&bed, &containers, 25000);
                destroy(&containers);
                other.join().unwrap();
            });
            assert_eq!(bed.links().len(), 3, "{:?}", bed.links());
            assert!(said.load(Ordering::Relaxed) > begin, "a connection stands still");
        }
        stop.store(true, Ordering::Relaxed);
        talking.join().unwrap();
    });
    // All of the others' is gone, and all of this one's is there.
    let sorted = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim().starts_with("index ")).map(str::trim);
        lines.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(sorted(&bed.filters()), sorted(&before));
    stays.destroy();
    one.assert_nothing_left();
    two.assert_nothing_left();
    bed.assert_clean();
}

/// Each has ports that nobody else has; the last ones, which are behind the first 32 in the shared filters, get answers, too.
fn check(bed: &Bed, containers: &[Container<'_>], first: u16) {
    let nets: Vec<Net> = containers.iter().map(Net::of).collect();
    let ranges: BTreeSet<_> = nets.iter().map(ephemeral).collect();
    assert_eq!(ranges.len(), EACH);
    for (net, port) in nets.iter().zip((first..).step_by(10)).skip(EACH - 4) {
        assert!(udp(&bed.peer, net, HOST, port, true).is_some(), "UDP to {port}");
        assert!(tcp(net, &bed.peer, PEER, port, true).is_some(), "TCP from the container with {port}");
        // ARP and ICMP.
        net.run("ip neigh flush dev eth0");
        let said = net.run(&format!("busybox ping -c 1 -w 10 {PEER}"));
        assert!(said.contains("1 packets received"), "{said}");
    }
}
