//! Qdiscs: what becomes of the packets that a link sends, or receives.
#![forbid(unsafe_code)]

use super::attribute::{Attribute, Bad, Fields, attributes};
use super::handle::{Handle, Header, TCA_KIND, TCA_OPTIONS, TCA_STATS2};
use super::link::{Device, no_index};
use super::message::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Request};
use super::rate::Clock;
use super::socket::Socket;
use super::statistics::{FqCodelStatistics, QueueStatistics, TCA_STATS_APP};
use super::writer::Writer;
use super::{fq_codel, tbf};
use crate::error::Result;

pub use super::fq_codel::FqCodel;
pub use super::tbf::Tbf;

const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_GETQDISC: u16 = 38;
const TCA_HTB_INIT: u16 = 2;
const HTB_VERSION: u32 = 3;
/// tc's, for classes that say no quantum: the rate is divided by it.
const RATE_TO_QUANTUM: u32 = 10;

/// Which one, with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// For filters on what the link receives. Its handle is `ffff:`, its parent [`Handle::INGRESS`].
    Ingress,
    /// Classes with rates.
    Htb {
        /// The minor of the class of packets that no filter gives one; 0: they are sent at once.
        default: u32,
    },
    /// Many queues, each short.
    FqCodel(FqCodel),
    /// One rate.
    Tbf(Tbf),
    /// First in, first out.
    Pfifo {
        /// Packets; None: as many as the link's queue has.
        limit: Option<u32>,
    },
    /// One that this layer cannot make, by its name.
    Other(String),
}

impl Kind {
    /// As tc calls it.
    pub fn name(&self) -> &str {
        match self {
            Kind::Ingress => "ingress",
            Kind::Htb { .. } => "htb",
            Kind::FqCodel(_) => "fq_codel",
            Kind::Tbf(_) => "tbf",
            Kind::Pfifo { .. } => "pfifo",
            Kind::Other(name) => name,
        }
    }
}

/// A qdisc and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qdisc {
    /// A class, or [`Handle::ROOT`] or [`Handle::INGRESS`].
    pub parent: Handle,
    /// [`Handle::NONE`]: the kernel chooses.
    pub handle: Handle,
    /// Which one.
    pub kind: Kind,
}

impl Qdisc {
    /// The one for filters on what a link receives.
    pub fn ingress() -> Qdisc {
        Qdisc { parent: Handle::INGRESS, handle: Handle::new(0xffff, 0), kind: Kind::Ingress }
    }
}

/// A qdisc as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The index of its link.
    pub link: u32,
    /// What it is.
    pub qdisc: Qdisc,
    /// What went through it.
    pub statistics: QueueStatistics,
    /// The same, of fq_codel only.
    pub fq_codel: Option<FqCodelStatistics>,
}

/// Adds a qdisc where there is none but the one that every link has from the start: EEXIST. ENOENT if the kernel does not know it.
pub fn add(device: Device<'_>, qdisc: &Qdisc, clock: &Clock) -> Request<'static> {
    put(device, qdisc, clock, NLM_F_CREATE | NLM_F_EXCL, "add qdisc")
}

/// Adds one, in the place of another if there is one there.
pub fn replace(device: Device<'_>, qdisc: &Qdisc, clock: &Clock) -> Request<'static> {
    put(device, qdisc, clock, NLM_F_CREATE | NLM_F_REPLACE, "replace qdisc")
}

/// Deletes the one with this place and handle, and all below it. ENOENT or EINVAL if there is none.
pub fn delete(device: Device<'_>, parent: Handle, handle: Handle) -> Request<'static> {
    let header = Header { link: device.index, handle: handle.0, parent, information: 0 };
    let object = format!("{handle} of {}", device.name);
    Request::change(RTM_DELQDISC, 0, header.start(), "delete qdisc", object).unless(no_index(device))
}

/// All qdiscs of a link.
///
/// # Errors
/// The kernel's.
pub fn all(socket: &mut Socket, device: Device<'_>) -> Result<Vec<Found>> {
    let body = Header { link: device.index, handle: 0, parent: Handle::NONE, information: 0 }.start();
    let mut found =
        socket.list(&Request::list(RTM_GETQDISC, body, "list qdiscs of", device.name.to_owned()), decode)?;
    // The kernel lists those of all links.
    found.retain(|found| found.link == device.index);
    Ok(found)
}

fn put(device: Device<'_>, qdisc: &Qdisc, clock: &Clock, flags: u16, operation: &'static str) -> Request<'static> {
    let header = Header { link: device.index, handle: qdisc.handle.0, parent: qdisc.parent, information: 0 };
    let mut body = header.start();
    let name = qdisc.kind.name();
    body.text(TCA_KIND, name);
    let wrong = options(&mut body, &qdisc.kind, *clock);
    let object = format!("{name} {} at {} of {}", qdisc.handle, qdisc.parent, device.name);
    Request::change(RTM_NEWQDISC, flags, body, operation, object).unless(no_index(device).or(wrong))
}

/// Writes the settings, or says why there are none.
fn options(body: &mut Writer, kind: &Kind, clock: Clock) -> Option<&'static str> {
    match kind {
        Kind::Ingress | Kind::Pfifo { limit: None } => {}
        Kind::Htb { default } => {
            body.nest(TCA_OPTIONS, |inner| {
                inner.nest(TCA_HTB_INIT, |init| {
                    init.words(&[HTB_VERSION, RATE_TO_QUANTUM, *default, 0, 0]);
                });
            });
        }
        Kind::FqCodel(settings) => {
            body.nest(TCA_OPTIONS, |inner| settings.encode(inner));
        }
        Kind::Tbf(settings) => {
            body.nest(TCA_OPTIONS, |inner| settings.encode(inner, clock));
            return settings.wrong();
        }
        Kind::Pfifo { limit: Some(limit) } => {
            body.u32(TCA_OPTIONS, *limit);
        }
        Kind::Other(_) => return Some("this program does not know it"),
    }
    None
}

/// What a message of RTM_NEWQDISC's form says.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(body: &[u8]) -> std::result::Result<Option<Found>, Bad> {
    let (header, rest) = Header::read(body)?;
    let (mut name, mut settings, mut statistics) = (None, None, None);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            TCA_KIND => name = Some(attribute.text()),
            TCA_OPTIONS => settings = Some(attribute),
            TCA_STATS2 => statistics = Some(attribute),
            _ => {}
        }
    }
    let kind = kind(name.ok_or(Bad("a qdisc without its kind"))?, settings)?;
    let mut found = Found {
        link: header.link,
        qdisc: Qdisc { parent: header.parent, handle: Handle(header.handle), kind },
        statistics: QueueStatistics::default(),
        fq_codel: None,
    };
    if let Some(statistics) = statistics {
        found.statistics = QueueStatistics::decode(statistics)?;
        if matches!(found.qdisc.kind, Kind::FqCodel(_)) {
            for attribute in statistics.attributes() {
                let attribute = attribute?;
                if attribute.kind == TCA_STATS_APP {
                    found.fq_codel = FqCodelStatistics::decode(attribute.value);
                }
            }
        }
    }
    Ok(Some(found))
}

fn kind(name: String, settings: Option<Attribute<'_>>) -> std::result::Result<Kind, Bad> {
    Ok(match (name.as_str(), settings) {
        ("ingress", _) => Kind::Ingress,
        ("htb", Some(settings)) => Kind::Htb { default: htb_default(settings)? },
        ("fq_codel", Some(settings)) => Kind::FqCodel(fq_codel::decode(settings)?),
        ("tbf", Some(settings)) => Kind::Tbf(tbf::decode(settings)?),
        ("pfifo", settings) => Kind::Pfifo { limit: settings.map(Attribute::u32).transpose()? },
        _ => Kind::Other(name),
    })
}

fn htb_default(settings: Attribute<'_>) -> std::result::Result<u32, Bad> {
    for attribute in settings.attributes() {
        let attribute = attribute?;
        if attribute.kind == TCA_HTB_INIT {
            return Fields(attribute.value).u32(8).ok_or(Bad("htb's settings are too short"));
        }
    }
    Ok(0)
}
