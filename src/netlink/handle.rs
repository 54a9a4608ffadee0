//! Names of qdiscs and classes, and the header that all messages of traffic control have.
#![forbid(unsafe_code)]

use std::fmt;

use super::attribute::{Bad, Fields};
use super::writer::Writer;

/// Of a qdisc `MAJOR:`, of a class `MAJOR:MINOR`, both hexadecimal, as tc prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Handle(pub u32);

impl Handle {
    /// As a handle: the kernel is to choose. As a parent: none.
    pub const NONE: Handle = Handle(0);
    /// The parent of the qdisc by which a link sends.
    pub const ROOT: Handle = Handle(0xffff_ffff);
    /// The parent of the qdisc of what a link receives; and its handle, the parent of the filters there, is `ffff:`.
    pub const INGRESS: Handle = Handle(0xffff_fff1);

    /// `MAJOR:MINOR`, a qdisc with the minor 0.
    pub const fn new(major: u16, minor: u16) -> Handle {
        Handle((major as u32) << 16 | minor as u32)
    }

    /// That of the qdisc.
    pub const fn major(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// That of the class; 0 for a qdisc.
    pub const fn minor(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Handle::NONE => f.write_str("none"),
            Handle::ROOT => f.write_str("root"),
            Handle::INGRESS => f.write_str("ingress"),
            _ if self.minor() == 0 => write!(f, "{:x}:", self.major()),
            _ => write!(f, "{:x}:{:x}", self.major(), self.minor()),
        }
    }
}

pub(super) const TCA_KIND: u16 = 1;
pub(super) const TCA_OPTIONS: u16 = 2;
pub(super) const TCA_STATS2: u16 = 7;

/// struct tcmsg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The link's index.
    pub link: u32,
    pub handle: u32,
    pub parent: Handle,
    /// What it means depends on the message.
    pub information: u32,
}

impl Header {
    const SIZE: usize = 20;

    pub(super) fn start(self) -> Writer {
        let mut body = Writer::default();
        body.words(&[0, self.link, self.handle, self.parent.0, self.information]);
        body
    }

    /// The header and what stands behind it.
    pub(super) fn read(body: &[u8]) -> Result<(Header, &[u8]), Bad> {
        const SHORT: Bad = Bad("a message of traffic control without its header");
        let field = |at| Fields(body).u32(at).ok_or(SHORT);
        let header = Header { link: field(4)?, handle: field(8)?, parent: Handle(field(12)?), information: field(16)? };
        Ok((header, Fields(body).rest(Header::SIZE).ok_or(SHORT)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_printed_as_tc_does() {
        for (handle, text) in [
            (Handle::new(1, 0), "1:"),
            (Handle::new(0xffff, 0), "ffff:"),
            (Handle::new(0x10, 0x1a), "10:1a"),
            (Handle::ROOT, "root"),
            (Handle::INGRESS, "ingress"),
        ] {
            assert_eq!(handle.to_string(), text);
        }
        assert_eq!((Handle::new(3, 7).major(), Handle::new(3, 7).minor()), (3, 7));
    }
}
