//! Classes of the qdisc htb: a rate for a part of what a link sends.
#![forbid(unsafe_code)]

use super::attribute::{Attribute, Bad, Fields, attributes};
use super::handle::{Handle, Header, TCA_KIND, TCA_OPTIONS, TCA_STATS2};
use super::link::{Device, no_index};
use super::message::{NLM_F_CREATE, NLM_F_EXCL, Request};
use super::rate::{Clock, is_wide, of_spec};
use super::socket::Socket;
use super::statistics::QueueStatistics;
use super::writer::Writer;
use crate::error::Result;

const RTM_NEWTCLASS: u16 = 40;
const RTM_DELTCLASS: u16 = 41;
const RTM_GETTCLASS: u16 = 42;
const TCA_HTB_PARMS: u16 = 1;
const TCA_HTB_CTAB: u16 = 3;
const TCA_HTB_RTAB: u16 = 4;
const TCA_HTB_RATE64: u16 = 6;
const TCA_HTB_CEIL64: u16 = 7;
/// The longest packet of Ethernet that the tables of times are made for.
const PACKET: u32 = 1600;

/// A class of htb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// The qdisc, `1:`, or a class of it.
    pub parent: Handle,
    /// Its own, `1:1`.
    pub handle: Handle,
    /// Bytes per second that it may always send.
    pub rate: u64,
    /// Bytes per second that it may send if others do not need theirs. None: the rate.
    pub ceil: Option<u64>,
    /// Bytes that it may send at once at [`Class::rate`] after a pause. None: as few as work. (The kernel keeps the time that they
    /// take at the rate, so that it reads a little different.)
    pub burst: Option<u32>,
    /// The same at [`Class::ceil`].
    pub ceil_burst: Option<u32>,
    /// Bytes that it sends in its turn. None: the rate by 10, up to 200000.
    pub quantum: Option<u32>,
    /// 0 to 7; lower ones are served first.
    pub priority: u32,
}

impl Class {
    /// One with a rate (bytes per second) and nothing else of its own.
    pub fn limited(parent: Handle, handle: Handle, rate: u64) -> Class {
        Class { parent, handle, rate, ceil: None, burst: None, ceil_burst: None, quantum: None, priority: 0 }
    }
}

/// A class as the kernel has it, with all of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The index of its link.
    pub link: u32,
    /// What it is.
    pub class: Class,
    /// What went through it.
    pub statistics: QueueStatistics,
}

/// Adds a class; EEXIST if there is one with its handle.
pub fn add(device: Device<'_>, class: &Class, clock: &Clock) -> Request<'static> {
    put(device, class, clock, NLM_F_CREATE | NLM_F_EXCL, "add class")
}

/// Changes a class in place, with what waits in it, or adds it.
pub fn replace(device: Device<'_>, class: &Class, clock: &Clock) -> Request<'static> {
    put(device, class, clock, NLM_F_CREATE, "replace class")
}

/// Deletes a class; ENOENT if there is none, EBUSY if a filter leads to it.
pub fn delete(device: Device<'_>, handle: Handle) -> Request<'static> {
    let header = Header { link: device.index, handle: handle.0, parent: Handle::NONE, information: 0 };
    let object = format!("{handle} of {}", device.name);
    Request::change(RTM_DELTCLASS, 0, header.start(), "delete class", object).unless(no_index(device))
}

/// All classes of htb of a link.
///
/// # Errors
/// The kernel's.
pub fn all(socket: &mut Socket, device: Device<'_>) -> Result<Vec<Found>> {
    let body = Header { link: device.index, handle: 0, parent: Handle::NONE, information: 0 }.start();
    socket.list(&Request::list(RTM_GETTCLASS, body, "list classes of", device.name.to_owned()), decode)
}

fn put(device: Device<'_>, class: &Class, clock: &Clock, flags: u16, operation: &'static str) -> Request<'static> {
    let header = Header { link: device.index, handle: class.handle.0, parent: class.parent, information: 0 };
    let mut body = header.start();
    body.text(TCA_KIND, "htb").nest(TCA_OPTIONS, |inner| encode(inner, class, clock));
    let object = format!("{} of {}", class.handle, device.name);
    let wrong = (class.rate == 0 || class.ceil == Some(0)).then_some("a class needs a rate");
    Request::change(RTM_NEWTCLASS, flags, body, operation, object).unless(no_index(device).or(wrong))
}

fn encode(body: &mut Writer, class: &Class, clock: &Clock) {
    let ceil = class.ceil.unwrap_or(class.rate);
    for (kind, rate) in [(TCA_HTB_RATE64, class.rate), (TCA_HTB_CEIL64, ceil)] {
        if is_wide(rate) {
            body.u64(kind, rate);
        }
    }
    let burst = class.burst.unwrap_or_else(|| clock.least_burst(class.rate, PACKET));
    let ceil_burst = class.ceil_burst.unwrap_or_else(|| clock.least_burst(ceil, PACKET));
    let ((rate_spec, rate_times), (ceil_spec, ceil_times)) =
        (clock.table(class.rate, PACKET), clock.table(ceil, PACKET));
    body.nest(TCA_HTB_PARMS, |inner| {
        inner.raw(&rate_spec).raw(&ceil_spec);
        inner.words(&[clock.ticks(class.rate, burst), clock.ticks(ceil, ceil_burst)]);
        inner.words(&[class.quantum.unwrap_or(0), 0, class.priority]);
    });
    body.bytes(TCA_HTB_RTAB, &rate_times).bytes(TCA_HTB_CTAB, &ceil_times);
}

/// What a message of RTM_NEWTCLASS's form says; None for classes of other qdiscs.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<Found>, Bad> {
    let (header, rest) = Header::read(body)?;
    let (mut is_htb, mut settings, mut statistics) = (false, None, QueueStatistics::default());
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            TCA_KIND => is_htb = attribute.text() == "htb",
            TCA_OPTIONS => settings = Some(attribute),
            TCA_STATS2 => statistics = QueueStatistics::decode(attribute)?,
            _ => {}
        }
    }
    let Some(settings) = settings.filter(|_| is_htb) else { return Ok(None) };
    let mut class = Class::limited(header.parent, Handle(header.handle), 0);
    decode_settings(&mut class, settings)?;
    Ok(Some(Found { link: header.link, class, statistics }))
}

fn decode_settings(class: &mut Class, settings: Attribute<'_>) -> std::result::Result<(), Bad> {
    const SHORT: Bad = Bad("a class's settings are too short");
    let (mut numbers, mut wide_rate, mut wide_ceil) = (None, None, None);
    for attribute in settings.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            TCA_HTB_PARMS => numbers = Some(attribute.value),
            TCA_HTB_RATE64 => wide_rate = Some(attribute.u64()?),
            TCA_HTB_CEIL64 => wide_ceil = Some(attribute.u64()?),
            _ => {}
        }
    }
    let numbers = Fields(numbers.ok_or(SHORT)?);
    let word = |at| numbers.u32(at).ok_or(SHORT);
    class.rate = wide_rate.map_or_else(|| of_spec(numbers.rest(0)), Ok)?;
    let ceil = wide_ceil.map_or_else(|| of_spec(numbers.rest(12)), Ok)?;
    class.ceil = Some(ceil);
    class.burst = Some(Clock::USUAL.size(class.rate, word(24)?));
    class.ceil_burst = Some(Clock::USUAL.size(ceil, word(28)?));
    class.quantum = Some(word(32)?);
    class.priority = word(40)?;
    Ok(())
}
