//! TCP sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;

use mesos_ecp::netlink::Socket;
use mesos_ecp::netlink::diag::{self, Family, TcpSocket, TcpState};

use crate::host::{Host, skip};

fn list(host: &Host, family: Family, states: &[TcpState]) -> Vec<TcpSocket> {
    diag::tcp(&mut Socket::diag_in(host.namespace()).unwrap(), family, states).unwrap()
}

fn inode(socket: &impl std::os::fd::AsRawFd) -> u32 {
    std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino() as u32
}

#[test]
fn connections_are_there_with_state_addresses_and_times() {
    let Some(host) = Host::new() else { return };
    if let Err(error) = diag::tcp(&mut Socket::diag_in(host.namespace()).unwrap(), Family::V4, &TcpState::ALL) {
        assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");
        return skip("this kernel has no tcp_diag");
    }
    assert_eq!(list(&host, Family::V4, &TcpState::ALL), []);
    let (listener, client, mut server) = host.within(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let mut client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for _ in 0..20 {
            client.write_all(b"ping").unwrap();
            server.read_exact(&mut [0; 4]).unwrap();
            server.write_all(b"pong").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
        }
        (listener, client, server)
    });
    let listening = list(&host, Family::V4, &[TcpState::Listen]);
    assert_eq!(listening.len(), 1);
    assert_eq!(listening[0].local, "127.0.0.1:8080".parse().unwrap());
    assert_eq!((listening[0].rtt, listening[0].inode), (None, inode(&listener)));
    let established = list(&host, Family::V4, &[TcpState::Established]);
    assert_eq!(established.len(), 2);
    for (socket, inode) in [(&client, inode(&client)), (&server, inode(&server))] {
        let found = established.iter().find(|found| found.inode == inode).unwrap();
        assert_eq!(found.local, socket.local_addr().unwrap());
        assert_eq!(found.remote, socket.peer_addr().unwrap());
        assert_eq!((found.state, found.uid), (TcpState::Established, nix::unistd::geteuid().as_raw()));
        assert!(found.rtt.is_some_and(|rtt| rtt.as_millis() < 1000), "{found:?}");
    }
    // The last answers may still change them.
    let same = || {
        let found = list(&host, Family::V4, &[TcpState::Established]);
        let said = host.run("ss -tniH");
        let rtt = |found: &TcpSocket| format!("rtt:{}/", found.rtt.unwrap().as_micros() as f64 / 1000.0);
        found.len() == 2 && found.iter().all(|found| said.contains(&rtt(found)))
    };
    assert!((0..50).any(|_| same()));

    // Who closes first waits afterwards, and no process has that socket any more.
    let port = client.local_addr().unwrap().port();
    drop(client);
    assert_eq!(server.read(&mut [0; 4]).unwrap(), 0);
    drop(server);
    let mut tries = 0;
    let waiting = loop {
        let found = list(&host, Family::V4, &[TcpState::TimeWait]);
        tries += 1;
        if !found.is_empty() || tries > 100 {
            break found;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!((waiting.len(), waiting[0].local.port(), waiting[0].inode), (1, port, 0));
}

/// As most servers do: a socket of IPv6 for both.
#[test]
fn connections_by_ipv4_to_sockets_of_ipv6_have_addresses_of_ipv4() {
    let Some(host) = Host::new() else { return };
    let Some(kept) = host.within(|| {
        let listener = TcpListener::bind("[::]:8080").ok()?;
        let client = TcpStream::connect("127.0.0.1:8080").unwrap();
        Some((listener.accept().unwrap(), client, listener))
    }) else {
        return skip("this kernel has no IPv6");
    };
    let Ok(found) = diag::tcp(&mut Socket::diag_in(host.namespace()).unwrap(), Family::V6, &TcpState::ALL) else {
        return skip("this kernel has no tcp_diag");
    };
    let of = |state| found.iter().find(|found| found.state == state).unwrap();
    assert_eq!(of(TcpState::Listen).local, "[::]:8080".parse().unwrap());
    assert_eq!(of(TcpState::Established).local, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(of(TcpState::Established).remote, kept.1.local_addr().unwrap());
}
