//! More copies of a packet than the kernel takes actions for in one filter, with real packets, while the list is changed.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesos_ecp::netlink::action::{self, Control, mirrors};
use mesos_ecp::netlink::filter::{self, Filter, IP, Name};
use mesos_ecp::netlink::qdisc::{self, Qdisc};
use mesos_ecp::netlink::{Clock, Handle, Keys, Link, Socket, link, veth};

use crate::host::{Host, UP, end};

const INGRESS: Handle = Handle::new(0xffff, 0);
const COUNT: usize = 60;
const PACKETS: u64 = 1500;

/// Packets of UDP to port 9 are copied to these links.
fn copying(node: u16, links: &[u32]) -> Filter {
    let name = Name { parent: INGRESS, priority: 514, protocol: IP, table: 0x800, node };
    let keys = Keys::new().protocol(17).u16(22, 9, 0xffff);
    // What is not copied (any more) must still be asked of the next filter.
    Filter { name, keys, class: Some(INGRESS), actions: mirrors(links, Control::Continue) }
}

/// The packets that each of the containers' ends has received.
fn received(containers: &Host) -> Vec<u64> {
    let links = Link::all(&mut containers.socket()).unwrap();
    let count = |number| links.iter().find(|link| link.name == format!("c{number}")).unwrap().statistics.rx_packets;
    (0..COUNT).map(count).collect()
}

fn without_ipv6(host: &Host) {
    // Its greetings would be counted.
    host.within(|| {
        let _ = std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    });
}

#[test]
fn sixty_links_get_every_packet_while_others_come_and_go() {
    let (Some(host), Some(containers), Some(peer)) = (Host::new(), Host::new(), Host::new()) else { return };
    for each in [&host, &containers, &peer] {
        without_ipv6(each);
    }
    host.try_run("ip link delete eth0").ok();
    let mut socket = host.socket();
    socket.perform(&veth::create(&end("eth0"), &end("p0"), Some(peer.namespace()))).unwrap();
    let pairs: Vec<_> = (0..COUNT).map(|number| (format!("m{number}"), format!("c{number}"))).collect();
    let create = |(m, c): &(String, String)| veth::create(&end(m), &end(c), Some(containers.namespace()));
    socket.perform_all(&pairs.iter().map(create).collect::<Vec<_>>()).unwrap();
    for host in [&host, &containers, &peer] {
        let mut socket = host.socket();
        let links = Link::all(&mut socket).unwrap();
        let wanted = links.iter().filter(|link| link.kind.as_deref() == Some("veth"));
        socket.perform_all(&wanted.map(|link| link::change(link.device(), &UP)).collect::<Vec<_>>()).unwrap();
    }
    let eth0 = host.link("eth0");
    let targets: Vec<u32> = pairs.iter().map(|(m, _)| host.link(m).index).collect();
    host.ip("addr add 10.1.2.3/24 dev eth0");
    peer.ip("addr add 10.1.2.9/24 dev p0");
    peer.ip(&format!("neigh add 10.1.2.3 lladdr {} dev p0", eth0.mac.unwrap()));
    host.ip(&format!("neigh add 10.1.2.9 lladdr {} dev eth0", peer.link("p0").mac.unwrap()));

    socket.perform(&qdisc::add(eth0.device(), &Qdisc::ingress(), &Clock::USUAL)).unwrap();
    socket.perform(&filter::add(eth0.device(), &copying(1, &targets[..action::MOST + 1]))).unwrap_err();
    let (first, second) = targets.split_at(action::MOST);
    socket.perform(&filter::add(eth0.device(), &copying(1, first))).unwrap();
    socket.perform(&filter::add(eth0.device(), &copying(2, second))).unwrap();
    // Another one in the same priority after all copies: it is asked, too, and lets the packet through.
    let own = Filter { actions: vec![], ..copying(3, &[]) };
    socket.perform(&filter::add(eth0.device(), &own)).unwrap();

    let before = received(&containers);
    let done = AtomicBool::new(false);
    let own_socket = host.within(|| UdpSocket::bind("10.1.2.3:9").unwrap());
    own_socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let changes = std::thread::scope(|scope| {
        let changing = scope.spawn(|| change(&mut host.socket(), &eth0, first, second, &done));
        scope.spawn(|| {
            for _ in 0..PACKETS {
                assert_eq!(own_socket.recv(&mut [0; 64]).unwrap(), 7);
            }
        });
        peer.within(|| {
            let from = UdpSocket::bind("10.1.2.9:0").unwrap();
            for _ in 0..PACKETS {
                from.send_to(b"packets", "10.1.2.3:9").unwrap();
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        // What is still on its way.
        std::thread::sleep(Duration::from_millis(100));
        done.store(true, Ordering::Relaxed);
        changing.join().unwrap()
    });
    assert!(changes > 20, "{changes}");
    let counts: Vec<u64> = received(&containers).iter().zip(&before).map(|(now, before)| now - before).collect();
    let changed: HashSet<usize> = [5, 40].into();
    for (number, count) in counts.iter().enumerate() {
        if changed.contains(&number) {
            assert!(*count > 0 && *count < PACKETS, "c{number}: {count} of {PACKETS}");
        } else {
            assert_eq!(*count, PACKETS, "c{number}");
        }
    }

    // The actions' own counts say the same.
    let found = filter::all(&mut socket, eth0.device(), INGRESS, 514).unwrap();
    assert_eq!(found.iter().map(|found| found.filter.actions.len()).collect::<Vec<_>>(), [32, 28, 0]);

    // A target that goes away leaves an action that does nothing, and the others go on.
    socket.perform(&link::delete(host.link("m0").device())).unwrap();
    let before = Link::named(&mut containers.socket(), "c1").unwrap().unwrap().statistics.rx_packets;
    peer.within(|| UdpSocket::bind("10.1.2.9:0").unwrap().send_to(b"packets", "10.1.2.3:9").unwrap());
    own_socket.recv(&mut [0; 64]).unwrap();
    let after = Link::named(&mut containers.socket(), "c1").unwrap().unwrap().statistics.rx_packets;
    assert_eq!(after - before, 1);
    let found = filter::all(&mut socket, eth0.device(), INGRESS, 514).unwrap();
    assert_eq!(found[0].filter.actions[0], action::Action::Mirror { link: 0, then: Control::Pipe });
}

/// Takes one link out of each list and puts it back, again and again; the last change puts it back.
fn change(socket: &mut Socket, eth0: &Link, first: &[u32], second: &[u32], done: &AtomicBool) -> u32 {
    let mut changes = 0;
    while !done.load(Ordering::Relaxed) {
        for (node, list, gone) in [(1, first, 5), (2, second, 40 - first.len())] {
            let mut fewer = list.to_vec();
            fewer.remove(gone);
            socket.perform(&filter::replace(eth0.device(), &copying(node, &fewer))).unwrap();
            std::thread::sleep(Duration::from_millis(2));
            socket.perform(&filter::replace(eth0.device(), &copying(node, list))).unwrap();
            changes += 2;
        }
    }
    changes
}
