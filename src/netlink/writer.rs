//! Puts messages together: structures, and attributes as `attribute.rs` takes them apart.
#![forbid(unsafe_code)]

use super::attribute::{HEADER, aligned};

/// Of a kind whose attribute has attributes, where the kernel wants it said.
pub(super) const NESTED: u16 = 0x8000;

/// Puts a message together.
#[derive(Debug, Default, Clone)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Writer {
    /// What was written; nothing if an attribute was longer than an attribute can be (65535 bytes).
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.too_long).then_some(self.bytes)
    }

    /// A part of a structure.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Fields of 32 bits of a structure.
    pub(super) fn words(&mut self, words: &[u32]) -> &mut Writer {
        for word in words {
            self.raw(&word.to_ne_bytes());
        }
        self
    }

    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Writer {
        self.nest(kind, |inner| {
            inner.raw(value);
        })
    }

    pub(super) fn u32(&mut self, kind: u16, value: u32) -> &mut Writer {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub(super) fn u64(&mut self, kind: u16, value: u64) -> &mut Writer {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// With a NUL at the end.
    pub(super) fn text(&mut self, kind: u16, value: &str) -> &mut Writer {
        self.nest(kind, |inner| {
            inner.raw(value.as_bytes()).raw(&[0]);
        })
    }

    /// An attribute whose value is what `fill` writes.
    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) -> &mut Writer {
        let start = self.bytes.len();
        self.raw(&[0; HEADER]);
        fill(self);
        let length = self.bytes.len().saturating_sub(start);
        let Ok(length) = u16::try_from(length) else {
            self.too_long = true;
            return self;
        };
        if let Some(header) = self.bytes.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<HEADER>()) {
            let ([low, high], [kind_low, kind_high]) = (length.to_ne_bytes(), kind.to_ne_bytes());
            *header = [low, high, kind_low, kind_high];
        }
        self.bytes.resize(aligned(self.bytes.len()), 0);
        self
    }
}
