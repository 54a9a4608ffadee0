//! network/port_mapping: what `usage` says of the network, and where operators find it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Container, eventually};
use crate::network::bed::{Bed, HOST, Net, PEER, bed, bound, lasting};

/// `ResourceStatistics` (mesos.proto).
const RX_PACKETS: u32 = 14;
const RX_BYTES: u32 = 15;
const TX_PACKETS: u32 = 18;
const TX_BYTES: u32 = 19;
const RTT_P50: u32 = 22;
const ACTIVE: u32 = 28;
const TRAFFIC_CONTROL: u32 = 35;
const SNMP: u32 = 42;

const SENT: u64 = 300_000;
const RECEIVED: u64 = 100_000;

/// Sends and receives, and leaves the connection open.
fn talk(bed: &Bed, inside: &Net) -> [TcpStream; 2] {
    let listener = bed.peer.within(|| bound(|| TcpListener::bind((PEER, 80))));
    let mut own = inside.within(|| TcpStream::connect((PEER, 80)).unwrap());
    let (mut other, _) = listener.accept().unwrap();
    let exchange = |from: &mut TcpStream, to: &mut TcpStream, bytes: u64| {
        std::thread::scope(|scope| {
            scope.spawn(|| from.write_all(&vec![7; bytes as usize]).unwrap());
            to.read_exact(&mut vec![0; bytes as usize]).unwrap();
        });
    };
    exchange(&mut own, &mut other, SENT);
    exchange(&mut other, &mut own, RECEIVED);
    [own, other]
}

#[test]
fn usage_counts_as_the_container_sees_it() {
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, idle) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[]));
    let _connection = talk(&bed, &Net::of(&one));
    let found = one.usage().message;
    let count = |field| found.get_varint(field).unwrap();
    assert!((SENT..2 * SENT).contains(&count(TX_BYTES)), "{}", count(TX_BYTES));
    assert!((RECEIVED..2 * RECEIVED).contains(&count(RX_BYTES)), "{}", count(RX_BYTES));
    assert!(count(TX_PACKETS) > 0 && count(RX_PACKETS) > 0);
    assert!([16, 17, 20, 21].iter().all(|field| found.get_varint(*field).is_some()), "errors and what was dropped");
    // Nothing else is measured unasked, and of another container it is that one's own.
    assert_eq!(
        (found.get_double(RTT_P50), found.get_double(ACTIVE), found.get_message(SNMP).is_some()),
        (None, None, false)
    );
    assert_eq!(found.get_messages(TRAFFIC_CONTROL).len(), 0);
    assert!(idle.usage().message.get_varint(TX_BYTES).unwrap() < SENT / 10);
}

#[test]
fn usage_says_what_is_asked_for() {
    let bed = bed!();
    let agent = bed
        .agent()
        .flag("--network_enable_socket_statistics_summary")
        .flag("--network_enable_socket_statistics_details")
        .flag("--network_enable_snmp_statistics")
        .flag("--egress_rate_limit_per_container=37500KB")
        .build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let _connection = talk(&bed, &Net::of(&container));
    let found = container.usage().message;
    assert_eq!(found.get_double(ACTIVE), Some(1.0));
    assert!(found.get_double(RTT_P50).is_some_and(|time| time > 0.0), "{:?}", found.get_double(RTT_P50));
    let limit = &found.get_messages(TRAFFIC_CONTROL)[0];
    assert_eq!(limit.get_text(1).as_deref(), Some("bw_limit"));
    assert!(limit.get_varint(3).unwrap() > SENT, "bytes");
    // TCPStats.ActiveOpens: its own, not the host's.
    let tcp = found.get_message(SNMP).unwrap().get_message(3).unwrap();
    assert_eq!(tcp.get_varint(5), Some(1));
}

/// The two links by which operators find it.
fn handles(container: &Container<'_>) -> [PathBuf; 2] {
    [format!("/run/netns/{}", container.first_pid()).into(), format!("/run/mesos/netns/{}", container.id).into()]
}

#[test]
fn operators_find_the_network_by_process_and_by_id() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let identity = |path: &PathBuf| fs::metadata(path).map(|found| (found.dev(), found.ino())).unwrap();
    let own = identity(&format!("/proc/{}/ns/net", container.first_pid()).into());
    let handles = handles(&container);
    assert_eq!(handles.each_ref().map(identity), [own, own]);
    let name = handles[0].file_name().unwrap().to_str().unwrap();
    let said = bed.host.run(&format!("ip netns exec {name} ip -o -4 addr show eth0"));
    assert!(said.contains(&HOST.to_string()), "{said}");
    container.destroy();
    agent.assert_nothing_left();
    assert!(handles.iter().all(|handle| !handle.is_symlink()));
}

#[test]
fn nothing_of_a_container_that_ended_by_itself_stays() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = agent.task(AWAIT_GO).launch();
    let handles = handles(&container);
    assert!(handles.iter().all(|handle| handle.is_symlink()));
    container.go();
    container.complete().assert_status(0);
    eventually("its links are removed", || handles.iter().all(|handle| !handle.is_symlink()));
    agent.assert_nothing_left();
    bed.assert_clean();
}
