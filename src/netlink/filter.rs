//! Filters of the kind u32: which packets, and what becomes of them.
//!
//! # Handles
//! The filters of one parent and priority are in one table. The kernel gives the table its number (800 for the first priority of a
//! parent, then 801 and so on, in the order in which priorities are first used), and tells it where the filters are listed. A table
//! stays when its last filter is gone, until its priority or the qdisc is deleted. A filter's own number, its
//! node, is the maker's choice. All three together name a filter exactly: whoever deletes with less deletes more than one.
#![forbid(unsafe_code)]

use std::fmt;

use super::action::{self, Action};
use super::attribute::{Attribute, Bad, attributes};
use super::handle::{Handle, Header, TCA_KIND, TCA_OPTIONS};
use super::link::{Device, no_index};
use super::message::{NLM_F_CREATE, NLM_F_EXCL, Request};
use super::socket::Socket;
use super::statistics::QueueStatistics;
use super::u32::Keys;
use crate::error::Result;

const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
const TCA_U32_CLASSID: u16 = 1;
const TCA_U32_HASH: u16 = 2;
const TCA_U32_SEL: u16 = 5;
const TCA_U32_ACT: u16 = 7;
const TCA_U32_PCNT: u16 = 9;
const TCA_U32_FLAGS: u16 = 11;
const TCA_U32_PAD: u16 = 12;

/// The EtherType of IPv4.
pub const IP: u16 = 0x0800;
/// The EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// All EtherTypes.
pub const ANY: u16 = 0x0003;

/// Where filters are and which one is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    /// The qdisc or class whose filters are asked; `ffff:` for what a link receives.
    pub parent: Handle,
    /// Lower ones are asked first; from 1 on.
    pub priority: u16,
    /// Packets with this EtherType only. All filters of a priority have the same.
    pub protocol: u16,
    /// The table's number, 0x800 to 0xfff. 0 where a filter is added: that of the priority.
    pub table: u16,
    /// 1 to 0xfff. Within a table lower ones are asked first. 0 where a filter is added: the kernel chooses.
    pub node: u16,
}

impl Name {
    fn handle(self) -> u32 {
        u32::from(self.table) << 20 | u32::from(self.node)
    }

    fn header(self, device: Device<'_>) -> Header {
        let information = u32::from(self.priority) << 16 | u32::from(self.protocol.to_be());
        Header { link: device.index, handle: self.handle(), parent: self.parent, information }
    }

    /// None: a table of more than one bucket.
    fn of(header: Header) -> Option<Name> {
        let bucket = header.handle >> 12 & 0xff;
        (bucket == 0).then_some(Name {
            parent: header.parent,
            priority: (header.information >> 16) as u16,
            protocol: u16::from_be(header.information as u16),
            table: (header.handle >> 20) as u16,
            node: (header.handle & 0xfff) as u16,
        })
    }

    /// For requests that are about one filter.
    fn not_exact(self) -> Option<&'static str> {
        (self.table == 0 || self.node == 0).then_some("the request names more than one filter").or(self.wrong())
    }

    fn wrong(self) -> Option<&'static str> {
        if self.priority == 0 {
            return Some("a filter's priority is 1 at least");
        }
        if self.node > 0xfff || self.table > 0xfff || (self.table != 0 && self.table < 0x800) {
            return Some("a filter's table is 800 to fff, its node 1 to fff");
        }
        None
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { parent, priority, protocol, table, node } = *self;
        write!(f, "{table:x}::{node:x} at {parent} with priority {priority} and protocol {protocol:#06x}")
    }
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Its place.
    pub name: Name,
    /// For which packets it is.
    pub keys: Keys,
    /// The class (or flow) that they get.
    pub class: Option<Handle>,
    /// What is done with them, at most [`action::MOST`]. None at all: they go their own way, and no other filter is asked.
    pub actions: Vec<Action>,
}

/// A filter as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The index of its link.
    pub link: u32,
    /// What it is.
    pub filter: Filter,
    /// What each of its actions has counted.
    pub statistics: Vec<QueueStatistics>,
    /// Whether there is no more to it than [`Filter`] can say. Never false for those made here.
    pub whole: bool,
}

/// What lists of filters are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A table, with the node 0.
    Table(Name),
    /// A filter.
    Filter(Found),
}

/// Adds a filter; EEXIST (ENOSPC where the table is not said) if there is one of its name, EINVAL if the table is that of another
/// priority.
pub fn add(device: Device<'_>, filter: &Filter) -> Request<'static> {
    put(device, filter, NLM_F_CREATE | NLM_F_EXCL, true, "add filter").unless(filter.name.wrong())
}

/// Replaces class and actions of a filter in place: every packet meets the old ones or the new ones. Its keys stay as they are, whatever is
/// asked for. ENOENT if there is none of its name.
pub fn replace(device: Device<'_>, filter: &Filter) -> Request<'static> {
    put(device, filter, 0, false, "replace filter").unless(filter.name.not_exact())
}

/// Deletes exactly one filter; ENOENT (or EINVAL) if there is none.
pub fn delete(device: Device<'_>, name: Name) -> Request<'static> {
    let mut body = name.header(device).start();
    body.text(TCA_KIND, "u32");
    let object = format!("{name} of {}", device.name);
    Request::change(RTM_DELTFILTER, 0, body, "delete filter", object).unless(no_index(device)).unless(name.not_exact())
}

/// Deletes a priority with its table and all filters in it, whoever made them: for what nobody else uses any more. ENOENT if there is
/// none.
pub fn delete_priority(device: Device<'_>, parent: Handle, priority: u16, protocol: u16) -> Request<'static> {
    let name = Name { parent, priority, protocol, table: 0, node: 0 };
    let mut body = name.header(device).start();
    body.text(TCA_KIND, "u32");
    let object = format!("with priority {priority} and protocol {protocol:#06x} at {parent} of {}", device.name);
    Request::change(RTM_DELTFILTER, 0, body, "delete all filters", object).unless(no_index(device)).unless(name.wrong())
}

fn put(device: Device<'_>, filter: &Filter, flags: u16, keys: bool, operation: &'static str) -> Request<'static> {
    let mut body = filter.name.header(device).start();
    body.text(TCA_KIND, "u32").nest(TCA_OPTIONS, |options| {
        if let Some(class) = filter.class {
            options.u32(TCA_U32_CLASSID, class.0);
        }
        if !filter.actions.is_empty() {
            options.nest(TCA_U32_ACT, |list| action::encode(list, &filter.actions));
        }
        if keys {
            options.nest(TCA_U32_SEL, |selector| filter.keys.encode(selector));
        }
    });
    let object = format!("{} of {}", filter.name, device.name);
    let wrong = no_index(device).or(filter.keys.wrong()).or(action::wrong(&filter.actions));
    Request::change(RTM_NEWTFILTER, flags, body, operation, object).unless(wrong)
}

/// The u32 filters and their tables at a parent, of one priority or of all (0), in the order in which they are asked. Somebody who adds and
/// deletes filters there meanwhile may make it miss some: take a lock first.
///
/// # Errors
/// The kernel's. A link or parent that does not exist has no filters.
pub fn entries(socket: &mut Socket, device: Device<'_>, parent: Handle, priority: u16) -> Result<Vec<Entry>> {
    let information = u32::from(priority) << 16;
    let body = Header { link: device.index, handle: 0, parent, information }.start();
    let object = format!("{parent} of {}", device.name);
    socket.list(&Request::list(RTM_GETTFILTER, body, "list filters at", object), decode)
}

/// The same without the tables.
///
/// # Errors
/// As [`entries`].
pub fn all(socket: &mut Socket, device: Device<'_>, parent: Handle, priority: u16) -> Result<Vec<Found>> {
    let entries = entries(socket, device, parent, priority)?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| if let Entry::Filter(found) = entry { Some(found) } else { None })
        .collect())
}

/// What a message of RTM_NEWTFILTER's form says; None of filters of other kinds, and of the line that begins a priority.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<Entry>, Bad> {
    let (header, rest) = Header::read(body)?;
    let (mut is_u32, mut options) = (false, None);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            TCA_KIND => is_u32 = attribute.text() == "u32",
            TCA_OPTIONS => options = Some(attribute),
            _ => {}
        }
    }
    let (Some(options), Some(name)) = (options.filter(|_| is_u32), Name::of(header)) else { return Ok(None) };
    if name.node == 0 && header.handle != 0 && !has_keys(options) {
        return Ok(Some(Entry::Table(name)));
    }
    let mut found = Found {
        link: header.link,
        filter: Filter { name, keys: Keys::new(), class: None, actions: Vec::new() },
        statistics: Vec::new(),
        whole: true,
    };
    let filter = &mut found.filter;
    for attribute in options.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            TCA_U32_CLASSID => filter.class = Some(Handle(attribute.u32()?)),
            TCA_U32_SEL => {
                let (keys, whole) = Keys::decode(attribute.value)?;
                filter.keys = keys;
                found.whole &= whole;
            }
            TCA_U32_ACT => (filter.actions, found.statistics) = action::decode(attribute)?.into_iter().unzip(),
            TCA_U32_HASH | TCA_U32_PCNT | TCA_U32_FLAGS | TCA_U32_PAD => {}
            _ => found.whole = false,
        }
    }
    Ok(Some(Entry::Filter(found)))
}

fn has_keys(options: Attribute<'_>) -> bool {
    options.attributes().flatten().any(|attribute| attribute.kind == TCA_U32_SEL)
}
