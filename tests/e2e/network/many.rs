//! network/port_mapping: many containers of two agents, with traffic through others.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::agent::{Agent, Container, eventually, patient};
use crate::network::bed::{Bed, HOST, Net, PEER, bed, by_id, ephemeral, lasting, resources, tcp, udp};

const EACH: usize = 30;
const ROUNDS: usize = 5;

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
            scope.spawn(move || {
                for container in part {
                    container.destroy();
                    assert!(!by_id(&container.id).is_symlink());
                }
            });
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

/// Ends the talking, also where the test has failed: else it would wait for it for ever.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
        let stopping = Stop(&stop);
        let talking = scope.spawn(|| talk(&bed, &inside, &stop, &said));
        for _ in 0..ROUNDS {
            let begin = said.load(Ordering::Relaxed);
            // Both have all of theirs at the same time.
            let arrived = AtomicU32::new(0);
            let meet = |count| {
                arrived.fetch_add(1, Ordering::Relaxed);
                eventually("both agents are there", || arrived.load(Ordering::Relaxed) >= count);
            };
            let round = |agent: &Agent, first: u16| {
                let containers = launch(agent, first.into());
                meet(2);
                let ranges = check(&bed, &containers, first);
                meet(4);
                destroy(&containers);
                ranges
            };
            let mut ranges = thread::scope(|scope| {
                let other = scope.spawn(|| round(&two, 20000));
                let mut ranges = round(&one, 25000);
                ranges.extend(other.join().unwrap());
                ranges
            });
            ranges.push(ephemeral(&inside));
            ranges.sort_unstable();
            assert_eq!(ranges.len(), 2 * EACH + 1);
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
            assert_eq!(bed.links().len(), 3, "{:?}", bed.links());
            assert!(said.load(Ordering::Relaxed) > begin, "a connection stands still");
        }
        drop(stopping);
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

/// The last ones, which are behind the first 32 in the shared filters, get answers, too.
/// Returns their ephemeral ports.
fn check(bed: &Bed, containers: &[Container<'_>], first: u16) -> Vec<(u16, u16)> {
    let nets: Vec<Net> = containers.iter().map(Net::of).collect();
    for (net, port) in nets.iter().zip((first..).step_by(10)).skip(EACH - 4) {
        assert!(udp(&bed.peer, net, HOST, port, true).is_some(), "UDP to {port}");
        assert!(tcp(net, &bed.peer, PEER, port, true).is_some(), "TCP from the container with {port}");
        // ARP and ICMP.
        net.run("ip neigh flush dev eth0");
        let said = net.run(&format!("busybox ping -c 1 -w 10 {PEER}"));
        assert!(said.contains("1 packets received"), "{said}");
    }
    nets.iter().map(ephemeral).collect()
}
