//! Links (network interfaces): what there is, changing and deleting them.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use super::attribute::{Attribute, Bad, Fields, attributes};
use super::mac::Mac;
use super::message::Request;
use super::socket::Socket;
use super::statistics::LinkStatistics;
use super::writer::Writer;
use crate::error::Result;

pub(super) const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
pub(super) const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
pub(super) const IFLA_NET_NS_FD: u16 = 28;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_GSO_MAX_SEGS: u16 = 40;
pub(super) const IFLA_INFO_KIND: u16 = 1;
const IFLA_CARRIER: u16 = 33;

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;

/// struct ifinfomsg.
pub(super) const HEADER: usize = 16;

/// A link that something is to be done with: the kernel goes by its index, messages for people by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device<'a> {
    /// From 1 on; of one network namespace.
    pub index: u32,
    /// In texts only.
    pub name: &'a str,
}

/// A link as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// From 1 on. Not given to another link of the namespace soon, but it may be one day.
    pub index: u32,
    /// At most 15 bytes.
    pub name: String,
    /// Whether it is set up, by `ip link set up`. Whether anything is at its other end is another matter.
    pub up: bool,
    /// Whether something is at its other end. None: it does not say.
    pub carrier: Option<bool>,
    /// Whether this is `lo`, whatever its name.
    pub loopback: bool,
    /// None for links that have no such addresses.
    pub mac: Option<Mac>,
    /// In bytes.
    pub mtu: u32,
    /// The driver, as `veth`; None for hardware and `lo`.
    pub kind: Option<String>,
    /// Of a veth the index of its other end, in the namespace that this one is in if `peer_namespace` is None.
    pub peer: Option<u32>,
    /// The kernel's number for the namespace that the other end is in.
    pub peer_namespace: Option<u32>,
    /// What went through it.
    pub statistics: LinkStatistics,
}

impl Link {
    /// For requests about it.
    pub fn device(&self) -> Device<'_> {
        Device { index: self.index, name: &self.name }
    }

    /// All links of the socket's namespace.
    ///
    /// # Errors
    /// The kernel's.
    pub fn all(socket: &mut Socket) -> Result<Vec<Link>> {
        socket.list(&Request::list(RTM_GETLINK, header(0, 0, 0), "list", "links".to_owned()), decode)
    }

    /// The one of this name, if there is one.
    ///
    /// # Errors
    /// The kernel's; ERANGE for a name that no link can have.
    pub fn named(socket: &mut Socket, name: &str) -> Result<Option<Link>> {
        let mut body = header(0, 0, 0);
        body.text(IFLA_IFNAME, name);
        socket.get(&Request::get(RTM_GETLINK, body, "look up link", name.to_owned()), decode)
    }

    /// The one with this index, if there is one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn numbered(socket: &mut Socket, index: u32) -> Result<Option<Link>> {
        // 0 would be a question for the name.
        if index == 0 {
            return Ok(None);
        }
        socket.get(&Request::get(RTM_GETLINK, header(index, 0, 0), "look up link", index.to_string()), decode)
    }
}

/// What is to become different about a link; None stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Set up or down.
    pub up: Option<bool>,
    /// In bytes.
    pub mtu: Option<u32>,
    /// The most packets that the kernel sends by it as one, from 1 on: limits and queues take those for one packet.
    pub most_at_once: Option<u32>,
    /// Its address.
    pub mac: Option<Mac>,
    /// A new name. The link has to be down.
    pub name: Option<&'a str>,
    /// It goes to this network namespace, loses addresses, routes and traffic control, and is down there.
    pub namespace: Option<BorrowedFd<'a>>,
}

/// Changes a link.
pub fn change<'fd>(device: Device<'_>, change: &Change<'fd>) -> Request<'fd> {
    let flags = if change.up == Some(true) { IFF_UP } else { 0 };
    let mask = if change.up.is_some() { IFF_UP } else { 0 };
    let mut body = header(device.index, flags, mask);
    if let Some(Mac(bytes)) = change.mac {
        body.bytes(IFLA_ADDRESS, &bytes);
    }
    if let Some(mtu) = change.mtu {
        body.u32(IFLA_MTU, mtu);
    }
    if let Some(count) = change.most_at_once {
        body.u32(IFLA_GSO_MAX_SEGS, count);
    }
    if let Some(namespace) = change.namespace {
        body.u32(IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
    }
    if let Some(name) = change.name {
        body.text(IFLA_IFNAME, name);
    }
    let wrong = no_index(device).or(change.name.and_then(wrong_name));
    Request::change(RTM_NEWLINK, 0, body, "change link", device.name.to_owned()).unless(wrong)
}

/// Deletes a link with all that hangs on it, of a veth both ends. ENODEV if there is none with this index.
pub fn delete(device: Device<'_>) -> Request<'static> {
    let body = header(device.index, 0, 0);
    Request::change(RTM_DELLINK, 0, body, "delete link", device.name.to_owned()).unless(no_index(device))
}

/// Index 0 means any link, or goes by other fields.
pub(super) fn no_index(device: Device<'_>) -> Option<&'static str> {
    (device.index == 0).then_some("no link has the index 0")
}

/// What the kernel would not take, and `%`, which it would replace by a number.
pub(super) fn wrong_name(name: &str) -> Option<&'static str> {
    let bad = |byte: u8| {
        byte == b'/' || byte == b':' || byte == b'%' || byte == 0 || byte.is_ascii_whitespace() || byte == 0x0b
    };
    let wrong = name.is_empty() || name.len() > 15 || name == "." || name == ".." || name.bytes().any(bad);
    wrong.then_some("a link's name has 1 to 15 bytes, none of them a space or one of / : %")
}

/// struct ifinfomsg.
pub(super) fn header(index: u32, flags: u32, mask: u32) -> Writer {
    let mut body = Writer::default();
    body.words(&[0, index, flags, mask]);
    body
}

/// What a message of RTM_NEWLINK's form says; None of a bridge's port, which comes in this form, too.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<Link>, Bad> {
    const SHORT: Bad = Bad("a link without its header");
    let fields = Fields(body);
    let flags = fields.u32(8).ok_or(SHORT)?;
    if fields.u8(0) != Some(0) {
        return Ok(None);
    }
    let mut link = Link {
        index: fields.u32(4).ok_or(SHORT)?,
        name: String::new(),
        up: flags & IFF_UP != 0,
        carrier: None,
        loopback: flags & IFF_LOOPBACK != 0,
        mac: None,
        mtu: 0,
        kind: None,
        peer: None,
        peer_namespace: None,
        statistics: LinkStatistics::default(),
    };
    for attribute in attributes(fields.rest(HEADER).ok_or(SHORT)?) {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_IFNAME => link.name = attribute.text(),
            IFLA_ADDRESS => link.mac = attribute.value.try_into().ok().map(Mac),
            IFLA_MTU => link.mtu = attribute.u32()?,
            IFLA_LINK => link.peer = Some(attribute.u32()?),
            IFLA_LINK_NETNSID => link.peer_namespace = Some(attribute.u32()?),
            IFLA_CARRIER => link.carrier = Some(attribute.u8()? != 0),
            IFLA_STATS64 => link.statistics = LinkStatistics::decode(attribute.value),
            IFLA_LINKINFO => link.kind = kind(attribute)?,
            _ => {}
        }
    }
    if link.name.is_empty() {
        return Err(Bad("a link without a name"));
    }
    Ok(Some(link))
}

fn kind(information: Attribute<'_>) -> std::result::Result<Option<String>, Bad> {
    for attribute in information.attributes() {
        let attribute = attribute?;
        if attribute.kind == IFLA_INFO_KIND {
            return Ok(Some(attribute.text()));
        }
    }
    Ok(None)
}
