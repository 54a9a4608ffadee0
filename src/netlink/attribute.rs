//! Attributes: what a message is made of after its fixed header. Each has a length, a kind and a value, which may be attributes.
//!
//! Numbers are in the host's byte order unless a name says otherwise; everything begins at a multiple of four.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

/// The two upper bits of a kind are flags: the value is attributes, the value is in the network's byte order.
const KIND: u16 = 0x3fff;
/// Of length and kind.
pub(super) const HEADER: usize = 4;

/// What is wrong with bytes that should have come from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bad(pub &'static str);

/// The next multiple of four.
pub(super) fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// Numbers at fixed places of a structure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes from a place on.
    pub(super) fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_ne_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    pub(super) fn i32(self, at: usize) -> Option<i32> {
        self.array(at).map(i32::from_ne_bytes)
    }

    pub(super) fn u64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_ne_bytes)
    }

    /// In the network's byte order.
    pub(super) fn be16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// In the network's byte order.
    pub(super) fn be32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    /// All from a place on: the attributes behind a header of that size.
    pub(super) fn rest(self, at: usize) -> Option<&'a [u8]> {
        self.0.get(at..)
    }
}

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute<'a> {
    /// Without the flags.
    pub kind: u16,
    /// Its value, which may be longer than expected: kernels add fields at ends.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(super) fn u8(self) -> Result<u8, Bad> {
        Fields(self.value).u8(0).ok_or(SHORT)
    }

    pub(super) fn u32(self) -> Result<u32, Bad> {
        Fields(self.value).u32(0).ok_or(SHORT)
    }

    pub(super) fn u64(self) -> Result<u64, Bad> {
        Fields(self.value).u64(0).ok_or(SHORT)
    }

    pub(super) fn address(self) -> Result<Ipv4Addr, Bad> {
        Fields(self.value).array::<4>(0).map(Ipv4Addr::from).ok_or(SHORT)
    }

    /// Text, with or without a NUL at its end. Bytes that are no UTF-8 are replaced.
    pub(super) fn text(self) -> String {
        let end = self.value.iter().position(|byte| *byte == 0).unwrap_or(self.value.len());
        String::from_utf8_lossy(self.value.get(..end).unwrap_or_default()).into_owned()
    }

    /// The attributes in it.
    pub(super) fn attributes(self) -> Attributes<'a> {
        attributes(self.value)
    }
}

const SHORT: Bad = Bad("an attribute is too short");

/// Goes over attributes one by one, and ends with the first that is bad.
#[derive(Debug, Clone)]
pub(super) struct Attributes<'a>(&'a [u8]);

/// The attributes that these bytes are.
pub(super) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes(bytes)
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        // Less than a header: nothing but padding.
        let (length, kind) = (Fields(bytes).u16(0)?, Fields(bytes).u16(2)?);
        let length = usize::from(length);
        let Some(value) = bytes.get(HEADER..length) else {
            self.0 = &[];
            return Some(Err(Bad("an attribute's length is wrong")));
        };
        self.0 = bytes.get(aligned(length)..).unwrap_or_default();
        Some(Ok(Attribute { kind: kind & KIND, value }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::netlink::writer::{NESTED, Writer};
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.text(1, "eth0").nest(2 | NESTED, |inner| {
            inner.u32(3, 7).u64(4, 1 << 40);
        });
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes.len(), 12 + 4 + 8 + 12);
        let read: Vec<_> = attributes(&bytes).map(Result::unwrap).collect();
        assert_eq!((read[0].kind, read[0].text()), (1, "eth0".to_owned()));
        assert_eq!(read[1].kind, 2);
        let inner: Vec<_> = read[1].attributes().map(Result::unwrap).collect();
        assert_eq!((inner[0].u32(), inner[1].u64(), inner[0].u64()), (Ok(7), Ok(1 << 40), Err(SHORT)));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn lengths_that_lie_are_noticed() {
        for bytes in [[3, 0, 1, 0], [9, 0, 1, 0], [0, 0, 0, 0]] {
            let mut all = attributes(&bytes);
            assert_eq!(all.next().unwrap().unwrap_err(), Bad("an attribute's length is wrong"));
            assert!(all.next().is_none());
        }
        assert!(attributes(&[4, 0, 1]).next().is_none());
    }

    #[test]
    fn what_does_not_fit_is_no_message() {
        let mut writer = Writer::default();
        writer.bytes(1, &[0; 65531]);
        assert!(writer.clone().finish().is_some());
        writer.bytes(1, &[0; 65532]);
        assert!(writer.finish().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let count = attributes(&bytes).count();
            prop_assert!(count <= bytes.len() / HEADER);
        }
    }
}
