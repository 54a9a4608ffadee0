//! TCP sockets of a network namespace, as `ss -t` lists them (inet_diag).
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::attribute::{Bad, Fields, attributes};
use super::message::Request;
use super::socket::Socket;
use super::writer::Writer;
use crate::error::Result;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
/// struct inet_diag_sockid and struct inet_diag_msg.
const ID: usize = 48;
const MESSAGE: usize = 72;
/// In struct tcp_info.
const RTT: usize = 68;

/// Of a TCP connection. The numbers are the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum TcpState {
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
    /// A connection that is being opened to a listening socket.
    NewSynReceived = 12,
}

impl TcpState {
    /// All of them.
    pub const ALL: [TcpState; 12] = [
        TcpState::Established,
        TcpState::SynSent,
        TcpState::SynReceived,
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::TimeWait,
        TcpState::Close,
        TcpState::CloseWait,
        TcpState::LastAck,
        TcpState::Listen,
        TcpState::Closing,
        TcpState::NewSynReceived,
    ];
}

/// A TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSocket {
    /// Its state.
    pub state: TcpState,
    /// Its own address and port.
    pub local: SocketAddr,
    /// The other side's; 0.0.0.0:0 of one that listens.
    pub remote: SocketAddr,
    /// How long it takes for an answer to come, smoothed. None: not known, as of sockets that listen or wait for their end.
    pub rtt: Option<Duration>,
    /// The number in `/proc/PID/fd`, as `socket:[N]`; 0 when no process has it any more.
    pub inode: u32,
    /// Who made it.
    pub uid: u32,
    /// Its number by SO_COOKIE, which no other socket of the host gets until it is started anew.
    pub cookie: u64,
}

/// Whose addresses are meant. A socket of IPv6 may be connected by IPv4: its addresses are then given as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The TCP sockets in these states. The socket must be one of [`Socket::diag`].
///
/// # Errors
/// ENOENT where the kernel lacks tcp_diag, others of the kernel's.
pub fn tcp(socket: &mut Socket, family: Family, states: &[TcpState]) -> Result<Vec<TcpSocket>> {
    socket.list(&request(family, states), decode)
}

/// The same of both families. A kernel may have no IPv6.
///
/// # Errors
/// As [`tcp`].
pub fn tcp_of_both(socket: &mut Socket, states: &[TcpState]) -> Result<Vec<TcpSocket>> {
    let mut all = tcp(socket, Family::V4, states)?;
    match tcp(socket, Family::V6, states) {
        Err(e) if e.errno() == Some(libc::ENOENT) => {}
        more => all.extend(more?),
    }
    Ok(all)
}

fn request(family: Family, states: &[TcpState]) -> Request<'static> {
    let number = if family == Family::V4 { libc::AF_INET } else { libc::AF_INET6 };
    let wanted = states.iter().fold(0, |wanted: u32, state| wanted | 1 << *state as u8);
    let mut body = Writer::default();
    body.raw(&[number as u8, libc::IPPROTO_TCP as u8, 1 << (INET_DIAG_INFO - 1), 0]).words(&[wanted]).raw(&[0; ID]);
    Request::list(SOCK_DIAG_BY_FAMILY, body, "list", "TCP sockets".to_owned())
}

/// What a message of SOCK_DIAG_BY_FAMILY's form says; None of other families and of states not known.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<TcpSocket>, Bad> {
    const SHORT: Bad = Bad("a socket's description is too short");
    let fields = Fields(body);
    let rest = fields.rest(MESSAGE).ok_or(SHORT)?;
    let (family, number) = (fields.u8(0).ok_or(SHORT)?, fields.u8(1).ok_or(SHORT)?);
    let address = |at: usize| match i32::from(family) {
        libc::AF_INET => fields.array::<4>(at).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes))),
        libc::AF_INET6 => fields.array::<16>(at).map(|bytes| Ipv6Addr::from(bytes).to_canonical()),
        _ => None,
    };
    let state = TcpState::ALL.into_iter().find(|state| *state as u8 == number);
    let (Some(state), Some(local), Some(remote)) = (state, address(8), address(24)) else { return Ok(None) };
    let (local_port, remote_port) = (fields.be16(4).ok_or(SHORT)?, fields.be16(6).ok_or(SHORT)?);
    let (uid, inode) = (fields.u32(64).ok_or(SHORT)?, fields.u32(68).ok_or(SHORT)?);
    let (low, high) = (fields.u32(44).ok_or(SHORT)?, fields.u32(48).ok_or(SHORT)?);
    let cookie = u64::from(high) << 32 | u64::from(low);
    let mut rtt = None;
    for attribute in attributes(rest) {
        let attribute = attribute?;
        if attribute.kind == INET_DIAG_INFO {
            let microseconds = Fields(attribute.value).u32(RTT).filter(|rtt| *rtt != 0);
            rtt = microseconds.map(|microseconds| Duration::from_micros(microseconds.into()));
        }
    }
    let (local, remote) = (SocketAddr::new(local, local_port), SocketAddr::new(remote, remote_port));
    Ok(Some(TcpSocket { state, local, remote, rtt, inode, uid, cookie }))
}
