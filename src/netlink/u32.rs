//! What a filter of the kind u32 looks at: words of 32 bits of the packet, with masks.
//!
//! Places are counted from the start of the header of IP (or of ARP); those of the Ethernet header before it are negative. Ports are
//! looked for behind a header of 20 bytes: packets with IP options have a longer one, so filters on ports should say
//! [`Keys::no_options`], too.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use super::attribute::{Bad, Fields};
use super::mac::Mac;
use super::ports::PortBlock;
use super::writer::Writer;

/// struct tc_u32_sel without its keys, and struct tc_u32_key.
const SELECTOR: usize = 16;
const KEY: usize = 16;
/// As tc has it.
const MOST: usize = 128;
/// What has these keys is matched; no other table of keys is asked.
const TERMINAL: u8 = 1;

const SOURCE: i32 = 12;
const DESTINATION: i32 = 16;
const PORTS: i32 = 20;

/// One word: the packet has these bits there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The bits; others than the mask's are 0.
    pub value: u32,
    /// Which bits count.
    pub mask: u32,
    /// A multiple of four.
    pub offset: i32,
    /// -1 where the place is counted from the end of the IP header; else 0. Such keys are never made here.
    pub offset_mask: i32,
}

/// What must hold of a packet, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    keys: Vec<Key>,
    contradiction: bool,
}

impl Keys {
    /// For what is added by the other functions; as it is it holds of every packet.
    pub fn new() -> Keys {
        Keys::default()
    }

    /// The words.
    pub fn words(&self) -> &[Key] {
        &self.keys
    }

    /// Holds of every packet. (The kernel takes a filter without keys; tc cannot make or print one.)
    pub fn anything(self) -> Keys {
        self.u32(0, 0, 0)
    }

    /// A byte.
    pub fn u8(self, offset: i32, value: u8, mask: u8) -> Keys {
        let shift = 24 - 8 * (offset & 3);
        self.u32(offset, u32::from(value) << shift, u32::from(mask) << shift)
    }

    /// Two bytes, in the network's order; the place is even.
    pub fn u16(self, offset: i32, value: u16, mask: u16) -> Keys {
        let shift = if offset & 2 == 0 { 16 } else { 0 };
        self.u32(offset, u32::from(value) << shift, u32::from(mask) << shift)
    }

    /// Four bytes, in the network's order, at the multiple of four at or before the place. What is asked about one word by several
    /// calls becomes one key.
    pub fn u32(mut self, offset: i32, value: u32, mask: u32) -> Keys {
        let key = Key { value: value & mask, mask, offset: offset & !3, offset_mask: 0 };
        match self.keys.iter_mut().find(|known| known.offset == key.offset && known.offset_mask == 0) {
            Some(known) => {
                self.contradiction |= (known.value ^ key.value) & known.mask & key.mask != 0;
                known.value |= key.value;
                known.mask |= key.mask;
            }
            None => self.keys.push(key),
        }
        self
    }

    /// The IP header has 20 bytes, so that what is behind it is where the other functions look for it.
    pub fn no_options(self) -> Keys {
        self.u8(0, 5, 0x0f)
    }

    /// It is to this address of Ethernet. (On what a link receives.)
    pub fn destination_mac(self, Mac([a, b, c, d, e, f]): Mac) -> Keys {
        self.u16(-14, u16::from_be_bytes([a, b]), u16::MAX).u32(-12, u32::from_be_bytes([c, d, e, f]), u32::MAX)
    }

    /// It is of this protocol above IP: 1 ICMP, 6 TCP, 17 UDP.
    pub fn protocol(self, number: u8) -> Keys {
        self.u8(9, number, u8::MAX)
    }

    /// It is from this address.
    pub fn source(self, address: Ipv4Addr) -> Keys {
        self.u32(SOURCE, address.to_bits(), u32::MAX)
    }

    /// It is to this address.
    pub fn destination(self, address: Ipv4Addr) -> Keys {
        self.u32(DESTINATION, address.to_bits(), u32::MAX)
    }

    /// It is from one of these ports. Fragments but the first have something else there.
    pub fn source_ports(self, block: PortBlock) -> Keys {
        self.u16(PORTS, block.first(), block.mask())
    }

    /// It is to one of these ports.
    pub fn destination_ports(self, block: PortBlock) -> Keys {
        self.u16(PORTS + 2, block.first(), block.mask())
    }

    pub(super) fn wrong(&self) -> Option<&'static str> {
        if self.contradiction {
            return Some("its keys contradict each other");
        }
        (self.keys.len() > MOST).then_some("a filter has at most 128 keys")
    }

    /// struct tc_u32_sel and its keys.
    pub(super) fn encode(&self, body: &mut Writer) {
        body.raw(&[TERMINAL, 0, self.keys.len() as u8, 0]).raw(&[0; SELECTOR - 4]);
        for key in &self.keys {
            body.raw(&key.mask.to_be_bytes()).raw(&key.value.to_be_bytes());
            body.words(&[key.offset as u32, key.offset_mask as u32]);
        }
    }

    /// The keys, and whether there is no more to them than these say.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Keys, bool), Bad> {
        const SHORT: Bad = Bad("a filter's keys are too short");
        let fields = Fields(bytes);
        let whole = fields.u8(0) == Some(TERMINAL) && fields.array(4) == Some([0_u8; SELECTOR - 4]);
        let count = fields.u8(2).map(usize::from).ok_or(SHORT)?;
        let mut keys = Keys::default();
        for number in 0..count {
            let at = SELECTOR + KEY * number;
            keys.keys.push(Key {
                mask: fields.be32(at).ok_or(SHORT)?,
                value: fields.be32(at + 4).ok_or(SHORT)?,
                offset: fields.i32(at + 8).ok_or(SHORT)?,
                offset_mask: fields.i32(at + 12).ok_or(SHORT)?,
            });
        }
        Ok((keys, whole))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_and_halves_are_put_into_their_words() {
        let key = |value, mask, offset| Key { value, mask, offset, offset_mask: 0 };
        let keys = Keys::new().protocol(1).u8(0, 5, 0x0f).u16(-14, 0x0211, 0xffff).u16(2, 0x1234, 0xff00);
        let expected = [key(0x1_0000, 0xff_0000, 8), key(0x500_1200, 0xf00_ff00, 0), key(0x211, 0xffff, -16)];
        assert_eq!(keys.words(), expected);
        let both = Keys::new().source_ports(PortBlock::single(53)).destination_ports(PortBlock::single(80));
        assert_eq!(both.words(), [key(0x35_0050, u32::MAX, 20)]);
    }

    #[test]
    fn a_contradiction_is_noticed() {
        let keys = Keys::new().source_ports(PortBlock::single(53));
        assert_eq!(keys.clone().source_ports(PortBlock::single(53)).wrong(), None);
        assert!(keys.source_ports(PortBlock::single(54)).wrong().is_some());
    }
}
