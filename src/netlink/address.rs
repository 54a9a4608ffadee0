//! Addresses (IPv4) of links.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use super::attribute::{Bad, Fields, attributes};
use super::link::{Device, no_index};
use super::message::{NLM_F_CREATE, NLM_F_EXCL, Request};
use super::socket::Socket;
use super::writer::Writer;
use crate::error::Result;

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const HEADER: usize = 8;
const SCOPE_HOST: u8 = 254;

/// An address, with the network that is reached without a router through the link that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The host's own.
    pub address: Ipv4Addr,
    /// Of the network, 0 to 32.
    pub prefix: u8,
    /// For all hosts of that network.
    pub broadcast: Option<Ipv4Addr>,
}

/// An address and the index of the link that has it.
pub type OnLink = (u32, Address);

/// Gives a link an address; EEXIST if it has it.
pub fn add(device: Device<'_>, address: &Address) -> Request<'static> {
    let mut body = header(device, address, if address.address.is_loopback() { SCOPE_HOST } else { 0 });
    body.bytes(IFA_LOCAL, &address.address.octets());
    if let Some(broadcast) = address.broadcast {
        body.bytes(IFA_BROADCAST, &broadcast.octets());
    }
    body.bytes(IFA_ADDRESS, &address.address.octets());
    let object = format!("{}/{} to {}", address.address, address.prefix, device.name);
    Request::change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body, "add address", object).unless(wrong(device, address))
}

/// Takes an address from a link; EADDRNOTAVAIL if it does not have it.
pub fn delete(device: Device<'_>, address: &Address) -> Request<'static> {
    let mut body = header(device, address, 0);
    body.bytes(IFA_LOCAL, &address.address.octets()).bytes(IFA_ADDRESS, &address.address.octets());
    let object = format!("{}/{} from {}", address.address, address.prefix, device.name);
    Request::change(RTM_DELADDR, 0, body, "delete address", object).unless(wrong(device, address))
}

/// All addresses of the socket's namespace.
///
/// # Errors
/// The kernel's.
pub fn all(socket: &mut Socket) -> Result<Vec<OnLink>> {
    let mut body = Writer::default();
    body.raw(&[libc::AF_INET as u8, 0, 0, 0]).words(&[0]);
    socket.list(&Request::list(RTM_GETADDR, body, "list", "addresses".to_owned()), decode)
}

/// struct ifaddrmsg.
fn header(device: Device<'_>, address: &Address, scope: u8) -> Writer {
    let mut body = Writer::default();
    body.raw(&[libc::AF_INET as u8, address.prefix, 0, scope]).words(&[device.index]);
    body
}

fn wrong(device: Device<'_>, address: &Address) -> Option<&'static str> {
    no_index(device).or((address.prefix > 32).then_some("a prefix has at most 32 bits"))
}

/// What a message of RTM_NEWADDR's form says; None for other families than IPv4.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<OnLink>, Bad> {
    const SHORT: Bad = Bad("an address without its header");
    let fields = Fields(body);
    let rest = fields.rest(HEADER).ok_or(SHORT)?;
    if fields.u8(0) != Some(libc::AF_INET as u8) {
        return Ok(None);
    }
    let (mut local, mut far, mut broadcast) = (None, None, None);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            IFA_LOCAL => local = Some(attribute.address()?),
            IFA_ADDRESS => far = Some(attribute.address()?),
            IFA_BROADCAST => broadcast = Some(attribute.address()?),
            _ => {}
        }
    }
    // They differ on links from point to point, where the second is the other side's.
    let address = local.or(far).ok_or(Bad("an address without an address"))?;
    let prefix = fields.u8(1).filter(|prefix| *prefix <= 32).ok_or(Bad("a prefix of more than 32 bits"))?;
    Ok(Some((fields.u32(4).ok_or(SHORT)?, Address { address, prefix, broadcast })))
}
