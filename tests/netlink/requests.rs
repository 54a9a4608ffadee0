//! Several requests at once, and lists of what changes meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use mesos_ecp::netlink::filter::{self, Filter, IP, Name};
use mesos_ecp::netlink::ports::PortBlock;
use mesos_ecp::netlink::qdisc::{self, Qdisc};
use mesos_ecp::netlink::{Clock, Handle, Keys, Link, Socket, link, veth};

use crate::host::{Host, end};

const INGRESS: Handle = Handle::new(0xffff, 0);

#[test]
fn each_of_many_requests_has_its_own_result() {
    let Some(host) = Host::new() else { return };
    let (v0, _) = host.pair("v0", "v1");
    let mut socket = host.socket();
    let one = |node| Filter {
        name: Name { parent: INGRESS, priority: 7, protocol: IP, table: 0, node },
        keys: Keys::new().source_ports(PortBlock::single(node)),
        class: Some(INGRESS),
        actions: vec![],
    };
    // One that must not be sent, one that the kernel refuses, and a change that all others need.
    let mut requests = vec![qdisc::add(v0.device(), &Qdisc::ingress(), &Clock::USUAL)];
    requests.extend((1..=1000).map(|node| filter::add(v0.device(), &one(node))));
    requests[500] = filter::add(v0.device(), &one(0x1000));
    requests[700] = filter::add(v0.device(), &one(600));
    let results = socket.perform_each(&requests);
    let failed: Vec<_> =
        results.iter().enumerate().filter_map(|(at, result)| Some((at, result.as_ref().err()?))).collect();
    assert_eq!(failed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [500, 700], "{failed:?}");
    assert_eq!(failed[1].1.errno(), Some(libc::ENOSPC));
    assert_eq!(filter::all(&mut socket, v0.device(), INGRESS, 7).unwrap().len(), 998);
    let error = socket.perform_all(&requests).unwrap_err();
    assert!(error.to_string().starts_with("cannot add qdisc ingress ffff: at ingress of v0: File exists"), "{error}");
    // Failures come with the kernel's words, which take more room than acknowledgements.
    let (failed, wrong) = (socket.perform_each(&requests), [Some(libc::EEXIST), Some(libc::ENOSPC), None]);
    assert!(failed.iter().all(|result| wrong.contains(&result.as_ref().unwrap_err().errno())), "{failed:?}");
    // The socket is as good as before.
    assert!(Link::named(&mut socket, "v0").unwrap().is_some());
    assert!(socket.perform_each(&[]).is_empty());
}

#[test]
fn a_socket_of_another_namespace_leaves_the_thread_where_it_is() {
    let Some(host) = Host::new() else { return };
    let home = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = home();
    host.pair("only-there", "peer");
    let mut there = Socket::route_in(host.namespace()).unwrap();
    assert_eq!(home(), before);
    assert!(Link::named(&mut there, "only-there").unwrap().is_some());
    assert!(Link::named(&mut Socket::route().unwrap(), "only-there").unwrap().is_none());
}

#[test]
fn a_list_is_whole_although_others_change_it_meanwhile() {
    let Some(host) = Host::new() else { return };
    let lasting: Vec<String> = (0..30).map(|number| format!("lasting{number}")).collect();
    let peers: Vec<String> = (0..30).map(|number| format!("peer{number}")).collect();
    let mut socket = host.socket();
    let pairs = lasting.iter().zip(&peers).map(|(a, b)| veth::create(&end(a), &end(b), None));
    socket.perform_all(&pairs.collect::<Vec<_>>()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut socket = host.socket();
            while !done.load(Ordering::Relaxed) {
                socket.perform(&veth::create(&end("a"), &end("b"), None)).unwrap();
                socket.perform(&link::delete(host.link("a").device())).unwrap();
            }
        });
        for _ in 0..100 {
            let Ok(links) = Link::all(&mut socket) else { continue };
            let names: Vec<_> = links.iter().map(|link| &link.name).collect();
            for name in lasting.iter().chain(&peers) {
                assert_eq!(names.iter().filter(|known| **known == name).count(), 1, "{name}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}
