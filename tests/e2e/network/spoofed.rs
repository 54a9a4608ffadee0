//! network/port_mapping: packets that say what they are not, and packets that everybody might answer.

use std::io::Error;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::network::bed::{HOST, Net, PEER, bed, bound, lasting};

const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 99);
const FAR: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
/// Another address of the host's.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

/// How long a packet is waited for that should not come, and for all answers.
const DOUBT: Duration = Duration::from_millis(300);

fn raw(protocol: i32) -> OwnedFd {
    // SAFETY: makes a descriptor.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: it is new.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn send(socket: &OwnedFd, to: Ipv4Addr, bytes: &[u8]) {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(to).to_be() },
        sin_zero: [0; 8],
    };
    let size = size_of::<libc::sockaddr_in>() as u32;
    // SAFETY: both are as long as is said.
    let sent = unsafe {
        libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0, (&raw const address).cast(), size)
    };
    assert_eq!(sent, bytes.len() as isize, "{}", Error::last_os_error());
}

/// A UDP packet with any source.
fn udp(from: SocketAddrV4, to: SocketAddrV4) {
    send(&raw(libc::IPPROTO_RAW), *to.ip(), &bytes(from, to));
}

fn bytes(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend([0, 9, 0, 0, b'x']);
    packet
}

#[test]
fn under_another_address_nothing_leaves_a_container() {
    let bed = bed!();
    let agent = bed.agent().build();
    let container = lasting(&agent, &[(31000, 31009)]);
    let inside = Net::of(&container);
    // A host that routes, as one with docker does.
    bed.host.set("ipv4/ip_forward", "1");
    bed.host.run(&format!("ip addr add {OTHER}/32 dev lo"));
    let listen = |net: &Net| {
        let socket = net.within(|| bound(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 8080))));
        socket.set_read_timeout(Some(DOUBT)).unwrap();
        socket
    };
    let (host, peer) = (listen(&bed.host), listen(&bed.peer));
    let arrives = |server: &UdpSocket, from: (Ipv4Addr, u16), to: Ipv4Addr| {
        inside.within(|| udp(SocketAddrV4::new(from.0, from.1), SocketAddrV4::new(to, 8080)));
        server.recv_from(&mut [0; 9]).is_ok()
    };
    assert!(arrives(&host, (HOST, 31001), HOST) && arrives(&peer, (HOST, 31001), PEER), "what is its own arrives");
    let found = [
        arrives(&host, (STRANGER, 1234), HOST),
        arrives(&host, (STRANGER, 31001), HOST),
        arrives(&host, (FAR, 31001), HOST),
        arrives(&host, (PEER, 53), HOST),
        arrives(&host, (FAR, 53), OTHER),
        arrives(&host, (HOST, 31001), OTHER),
        arrives(&host, (HOST, 22), HOST),
        arrives(&peer, (STRANGER, 1234), PEER),
        arrives(&peer, (STRANGER, 31001), PEER),
        arrives(&peer, (HOST, 22), PEER),
    ];
    assert_eq!(found, [false; 10]);
    // Nor without any, to everybody who is near.
    let everybody = |to: Ipv4Addr| {
        inside.within(|| without_address(SocketAddrV4::new(to, 8080)));
        host.recv_from(&mut [0; 9]).is_ok()
    };
    let multicast = Ipv4Addr::new(224, 0, 0, 1);
    assert_eq!([everybody(Ipv4Addr::BROADCAST), everybody(multicast)], [false; 2]);
}

/// A UDP packet from 0.0.0.0 that leaves by eth0, whatever routes there are.
fn without_address(to: SocketAddrV4) {
    let protocol = (libc::ETH_P_IP as u16).to_be();
    // SAFETY: makes a descriptor.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, protocol.into()) };
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: it is new.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: zeros are an address of nobody.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    // SAFETY: the name ends with a zero.
    address.sll_ifindex = unsafe { libc::if_nametoindex(c"eth0".as_ptr()) } as i32;
    address.sll_halen = 6;
    address.sll_addr = [0xff; 8];
    let mut packet = bytes(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68), to);
    let sum: u32 = packet[..20].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let size = size_of::<libc::sockaddr_ll>() as u32;
    // SAFETY: both are as long as is said.
    let sent = unsafe {
        libc::sendto(socket.as_raw_fd(), packet.as_ptr().cast(), packet.len(), 0, (&raw const address).cast(), size)
    };
    assert_eq!(sent, packet.len() as isize, "{}", Error::last_os_error());
}

/// An ICMP message of this type.
fn icmp(kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend([0; 12]);
    let sum: u32 = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

#[test]
fn a_question_to_the_host_is_answered_once() {
    let bed = bed!();
    let agent = bed.agent().build();
    let _containers = [lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[]), lasting(&agent, &[])];
    let answers = |question: u8, answer: u8, options: &[u8]| {
        let socket = bed.peer.within(|| raw(libc::IPPROTO_ICMP));
        if !options.is_empty() {
            // SAFETY: as many bytes are read as are said.
            let done = unsafe {
                let length = options.len() as u32;
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::IPPROTO_IP,
                    libc::IP_OPTIONS,
                    options.as_ptr().cast(),
                    length,
                )
            };
            assert_eq!(done, 0);
        }
        bed.peer.within(|| send(&socket, HOST, &icmp(question)));
        let socket = UdpSocket::from(socket);
        socket.set_read_timeout(Some(DOUBT)).unwrap();
        let mut packet = [0; 200];
        let mut count = 0;
        while socket.recv(&mut packet).is_ok() {
            let header = usize::from(packet[0] & 15) * 4;
            count += usize::from(packet[header] == answer);
        }
        count
    };
    // Echo; a timestamp; an echo with options (three times nothing, and the end).
    assert_eq!([answers(8, 0, &[]), answers(13, 14, &[]), answers(8, 0, &[1, 1, 1, 0])], [1, 1, 1]);
}
