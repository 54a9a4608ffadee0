//! Routes (IPv4).
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use super::attribute::{Bad, Fields, attributes};
use super::link::{Device, Link, no_index};
use super::message::{NLM_F_CREATE, NLM_F_EXCL, Request};
use super::socket::Socket;
use super::writer::Writer;
use crate::error::Result;

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
/// struct rtmsg.
const HEADER: usize = 12;
const TABLE_MAIN: u32 = 254;
const PROTOCOL_BOOT: u8 = 3;
const SCOPE_LINK: u8 = 253;
const SCOPE_NOWHERE: u8 = 255;
const UNICAST: u8 = 1;
const ONLINK: u32 = 4;

/// A route of the main table to a network through a link, perhaps by a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The network; 0.0.0.0 with the prefix 0 for the default route.
    pub destination: Ipv4Addr,
    /// 0 to 32.
    pub prefix: u8,
    /// The router.
    pub gateway: Option<Ipv4Addr>,
    /// There is a router, and its address is none of IPv4 (`via inet6`, Linux 5.2): `gateway` says nothing of it. Such a route is
    /// read and never added or deleted; who copies routes must refuse it.
    pub other_router: bool,
    /// The router is reached through the link although none of the link's networks has it.
    pub onlink: bool,
    /// Of several to the same network the lowest counts.
    pub metric: u32,
}

impl Route {
    /// The default route by this router.
    pub fn default_by(gateway: Ipv4Addr) -> Route {
        Route { destination: Ipv4Addr::UNSPECIFIED, prefix: 0, gateway: Some(gateway), ..Route::to_all() }
    }

    fn to_all() -> Route {
        let destination = Ipv4Addr::UNSPECIFIED;
        Route { destination, prefix: 0, gateway: None, other_router: false, onlink: false, metric: 0 }
    }

    /// Whether it is for all that no other route is for.
    pub fn is_default(&self) -> bool {
        self.prefix == 0
    }
}

/// The index of the link that a route goes through, and the route. One that goes several ways is there with its first.
pub type OnLink = (u32, Route);

/// Adds a route; EEXIST if there is one to this network with this metric, ENETUNREACH if the router is not reached.
pub fn add(device: Device<'_>, route: &Route) -> Request<'static> {
    let scope = if route.gateway.is_some() { 0 } else { SCOPE_LINK };
    let body = encode(device, route, [PROTOCOL_BOOT, scope, UNICAST]);
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    Request::change(RTM_NEWROUTE, flags, body, "add route", object(device, route)).unless(wrong(device, route))
}

/// Deletes a route; ESRCH if there is none.
pub fn delete(device: Device<'_>, route: &Route) -> Request<'static> {
    let body = encode(device, route, [0, SCOPE_NOWHERE, 0]);
    Request::change(RTM_DELROUTE, 0, body, "delete route", object(device, route)).unless(wrong(device, route))
}

/// The main table's routes in the socket's namespace, but for those that only refuse (blackhole and the like).
///
/// # Errors
/// The kernel's.
pub fn all(socket: &mut Socket) -> Result<Vec<OnLink>> {
    let mut body = Writer::default();
    body.raw(&[libc::AF_INET as u8]).raw(&[0; HEADER - 1]);
    socket.list(&Request::list(RTM_GETROUTE, body, "list", "routes".to_owned()), decode)
}

/// The default route that counts, and its link. None: there is none.
///
/// # Errors
/// The kernel's.
pub fn default_link(socket: &mut Socket) -> Result<Option<(Link, Route)>> {
    let routes = all(socket)?;
    let best = routes.into_iter().filter(|(_, route)| route.is_default()).min_by_key(|(_, route)| route.metric);
    match best {
        // It may have gone meanwhile.
        Some((index, route)) => Ok(Link::numbered(socket, index)?.map(|link| (link, route))),
        None => Ok(None),
    }
}

/// `kinds`: protocol, scope, type.
fn encode(device: Device<'_>, route: &Route, kinds: [u8; 3]) -> Writer {
    let mut body = Writer::default();
    body.raw(&[libc::AF_INET as u8, route.prefix, 0, 0, TABLE_MAIN as u8]).raw(&kinds);
    body.words(&[if route.onlink { ONLINK } else { 0 }]);
    if !route.is_default() {
        body.bytes(RTA_DST, &route.destination.octets());
    }
    if let Some(gateway) = route.gateway {
        body.bytes(RTA_GATEWAY, &gateway.octets());
    }
    if route.metric != 0 {
        body.u32(RTA_PRIORITY, route.metric);
    }
    body.u32(RTA_OIF, device.index);
    body
}

fn object(device: Device<'_>, route: &Route) -> String {
    let by = route.gateway.map_or_else(String::new, |gateway| format!(" by {gateway}"));
    format!("{}/{}{by} through {}", route.destination, route.prefix, device.name)
}

fn wrong(device: Device<'_>, route: &Route) -> Option<&'static str> {
    let router = "its router's address is none of IPv4";
    no_index(device)
        .or((route.prefix > 32).then_some("a prefix has at most 32 bits"))
        .or(route.other_router.then_some(router))
}

/// What a message of RTM_NEWROUTE's form says; None for other families, tables and types.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<OnLink>, Bad> {
    const SHORT: Bad = Bad("a route without its header");
    let fields = Fields(body);
    let rest = fields.rest(HEADER).ok_or(SHORT)?;
    let (family, kind) = (fields.u8(0), fields.u8(7));
    let mut table = fields.u8(4).map(u32::from).ok_or(SHORT)?;
    if family != Some(libc::AF_INET as u8) || kind != Some(UNICAST) {
        return Ok(None);
    }
    let prefix = fields.u8(1).filter(|prefix| *prefix <= 32).ok_or(Bad("a prefix of more than 32 bits"))?;
    let onlink = fields.u32(8).ok_or(SHORT)? & ONLINK != 0;
    let mut route = Route { prefix, onlink, ..Route::to_all() };
    let mut link = None;
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            RTA_DST => route.destination = attribute.address()?,
            RTA_GATEWAY => route.gateway = Some(attribute.address()?),
            RTA_VIA => route.other_router = true,
            RTA_PRIORITY => route.metric = attribute.u32()?,
            RTA_OIF => link = Some(attribute.u32()?),
            RTA_TABLE => table = attribute.u32()?,
            RTA_MULTIPATH => {
                let (index, way) = first_way(attribute.value)?;
                link = Some(index);
                route = Route { destination: route.destination, prefix, metric: route.metric, ..way };
            }
            _ => {}
        }
    }
    Ok(link.filter(|_| table == TABLE_MAIN).map(|link| (link, route)))
}

/// Of struct rtnexthop, one after the other: by which link, and a route that has only what belongs to the way.
fn first_way(bytes: &[u8]) -> std::result::Result<OnLink, Bad> {
    const WAY: usize = 8;
    const WRONG: Bad = Bad("a route of several ways without the first");
    let length = Fields(bytes).u16(0).map(usize::from).ok_or(WRONG)?;
    let inner = bytes.get(WAY..length).ok_or(WRONG)?;
    let (flags, index) = (Fields(bytes).u8(2).ok_or(WRONG)?, Fields(bytes).u32(4).ok_or(WRONG)?);
    let mut way = Route { onlink: u32::from(flags) & ONLINK != 0, ..Route::to_all() };
    for attribute in attributes(inner) {
        let attribute = attribute?;
        match attribute.kind {
            RTA_GATEWAY => way.gateway = Some(attribute.address()?),
            RTA_VIA => way.other_router = true,
            _ => {}
        }
    }
    Ok((index, way))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// struct rtvia: AF_INET6 and fe80::1.
    fn via() -> Vec<u8> {
        let mut via = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        via.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        via
    }

    fn route(attributes: impl FnOnce(&mut Writer)) -> OnLink {
        let mut body = Writer::default();
        body.raw(&[libc::AF_INET as u8, 0, 0, 0, TABLE_MAIN as u8, PROTOCOL_BOOT, 0, UNICAST]).words(&[0]);
        attributes(&mut body);
        decode(&body.finish().unwrap()).unwrap().unwrap()
    }

    #[test]
    fn a_router_of_another_family_is_one() {
        let by_other = (7, Route { other_router: true, ..Route::to_all() });
        let found = route(|body| {
            body.u32(RTA_OIF, 7).bytes(RTA_VIA, &via());
        });
        assert_eq!(found, by_other);
        let mut way = Writer::default();
        way.bytes(RTA_VIA, &via());
        let way = way.finish().unwrap();
        let mut ways = (8 + way.len() as u16).to_ne_bytes().to_vec();
        ways.extend([0, 0, 7, 0, 0, 0]);
        ways.extend(way);
        let found = route(|body| {
            body.bytes(RTA_MULTIPATH, &ways);
        });
        assert_eq!(found, by_other);
        let found = route(|body| {
            body.u32(RTA_OIF, 7);
        });
        assert_eq!(found, (7, Route::to_all()));
        // What is left out would make another route of it.
        assert!(add(Device { index: 7, name: "v0" }, &by_other.1).bytes().is_none());
    }
}
